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
  /** A namespace is connected and about to be subscribed; the cursor is asked for next. */
  connected(): void;
  cursor(pipelineType: string): string | null;
  events(events: Event[]): void;
  snapshot(status: PipelineStatus): void;
  /** `everyOfType` is the pipeline type when the answer lists all of its pipelines. */
  settled(pipelines: SubscribedPipeline[], everyOfType: string | null): void;
  live(): void;
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
  /** True when a WebSocket is preferred: long polls are shorter, to notice the status server's return. */
  awaitsSocket(): boolean;
  answer(answer: RagStatus, sinceCursor: boolean): void;
  unchanged(): void;
  failed(error: ApiError, failures: number): void;
  latency(ms: number): void;
}

/** What the runner needs from a WebSocket, which ends once and is not reused. */
export interface SocketTransport {
  open(): void;
  close(): void;
  resubscribe(pipelineType: string, pipelineId: string, cursor: string | null): void;
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
