import type {
  ErrorBody,
  Event,
  PipelineStatus,
  RagStatus,
  Session,
  SubscribedPipeline,
} from "@/contract/types";
import type { Reason } from "./connection";
import type { ApiError } from "./http";

export type Activity = "active" | "idle" | "background";

export interface SocketHandlers {
  /** It is connected and about to be subscribed; the cursor is asked for next. */
  connected(): void;
  cursor(): string | null;
  events(events: Event[]): void;
  snapshot(status: PipelineStatus): void;
  /** `all` when the answer lists every pipeline. */
  settled(pipelines: SubscribedPipeline[], all: boolean): void;
  live(): void;
  /** Everything that was committed before this time of the page's clock has been handed over. */
  confirmed(completeAt: number): void;
  down(why: Reason, error: ErrorBody | null): void;
  removed(pipelineId: string): void;
  draining(retryInMs: number): void;
  expiring(): void;
  latency(ms: number): void;
}

export interface PollHandlers {
  cursor(): string | null;
  /** True while files are in progress: polls are then short and frequent. */
  working(): boolean;
  hidden(): boolean;
  /** `completeAt` as in `SocketHandlers.confirmed`; null when more events follow. */
  answer(answer: RagStatus, sinceCursor: boolean, completeAt: number | null): void;
  unchanged(completeAt: number | null): void;
  failed(error: ApiError, failures: number): void;
  latency(ms: number): void;
}

/** What the runner needs from a WebSocket, which ends once and is not reused. */
export interface SocketTransport {
  open(): void;
  close(): void;
  resubscribe(pipelineId: string, cursor: string | null): void;
  authorize(session: Session): Promise<void>;
  tellActivity(clientId: string, activity: Activity): void;
  probe(timeoutMs: number): Promise<void>;
}

/** What the runner needs from polling. */
export interface PollingTransport {
  start(): void;
  stop(): void;
  pollNow(): void;
  pollFromStart(): void;
}

export type CreateSocket = (session: Session, handlers: SocketHandlers) => SocketTransport;

export interface Transports {
  /** Loads the code for WebSockets, which a viewer that polls does not need. */
  loadSocket(): Promise<CreateSocket>;
  createPoller(handlers: PollHandlers): PollingTransport;
}
