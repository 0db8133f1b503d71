import { Manager, type Socket } from "socket.io-client";
import type {
  Bookmark,
  ErrorBody,
  Event,
  EventsBatch,
  PipelineRemoved,
  PipelineStatus,
  ServerDraining,
  Session,
  SubscribeAck,
} from "@/contract/types";
import { clock, serverTime } from "./clock";
import { reason, type Reason } from "./connection";
import type { Timing } from "./timing";
import type { Activity, SocketHandlers, SocketTransport } from "./transports";

interface Refusal {
  ok: false;
  error: ErrorBody;
}

const OPENING_TIMEOUT_MS = 6_000;
const ACK_TIMEOUT_MS = 5_000;
const FIRST_MEASUREMENT_MS = 600;
const EVENT_TYPES: Event["type"][] = [
  "pipeline:online",
  "pipeline:offline",
  "file:processing",
  "file:progress",
  "file:completed",
  "file:failed",
  "file:skipped",
  "file:deleted",
  "status:update",
  "heartbeat",
  "pipeline:summary",
];
const GONE = new Set(["forbidden", "not_found"]);
const NOT_SIGNED_IN = new Set(["unauthenticated", "token_expired", "token_revoked"]);

/** One Socket.IO connection, to the namespace of every pipeline. It ends once, and is not reused. */
export class SocketConnection implements SocketTransport {
  private readonly manager: Manager;
  private readonly socket: Socket;
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();
  private subscribing = 0;
  private isLive = false;
  private ended = false;

  constructor(
    private session: Session,
    private readonly handlers: SocketHandlers,
    private readonly timing: Timing,
  ) {
    const { url, path, every_pipeline } = session.websocket;
    this.manager = new Manager(url, {
      path,
      transports: ["websocket"],
      reconnection: false,
      timeout: OPENING_TIMEOUT_MS,
      autoConnect: false,
      forceNew: true,
    });
    this.socket = this.manager.socket(every_pipeline, {
      auth: (give: (auth: object) => void) => give(this.session.token ? { token: this.session.token } : {}),
    });
  }

  open(): void {
    this.after(OPENING_TIMEOUT_MS, () => {
      if (!this.isLive) this.end(reason("socket_slow"));
    });
    this.manager.on("error", (error) => this.end(reason("socket_unreachable", sentence(error.message))));
    this.manager.on("close", () => this.end(reason(this.isLive ? "socket_lost" : "socket_unreachable")));
    this.listen(this.socket);
    this.socket.connect();
  }

  /** Subscribes to one pipeline again: replays what follows the cursor, or sends a snapshot without one. */
  resubscribe(pipelineId: string, cursor: string | null): void {
    void this.subscribe(pipelineId, cursor);
  }

  /** Presents a renewed token on the open connection. */
  async authorize(session: Session): Promise<void> {
    this.session = session;
    const answer = await this.ask<{ ok: true }>("auth:refresh", { token: session.token ?? "" });
    if (answer && !answer.ok) this.end(reason("unauthorized"), answer.error);
  }

  tellActivity(clientId: string, status: Activity): void {
    if (!this.socket.connected) return;
    this.socket.emit("client:status", { client_id: clientId, status, timestamp: new Date().toISOString() });
  }

  /** Ends the connection unless the server answers in time. */
  async probe(timeoutMs: number): Promise<void> {
    const tookMs = await this.ping(timeoutMs);
    if (tookMs !== null) this.handlers.latency(tookMs);
  }

  /** Closes without telling the handlers. */
  close(): void {
    if (this.ended) return;
    this.ended = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.socket.removeAllListeners().disconnect();
    this.manager.removeAllListeners();
    this.manager.engine?.close();
  }

  private listen(socket: Socket): void {
    socket.on("connect", () => {
      this.handlers.connected();
      void this.subscribe(null, this.handlers.cursor());
    });
    socket.on("connect_error", (error) => this.onRefused(error));
    socket.on("disconnect", (why) =>
      this.end(reason("socket_lost", why === "io server disconnect" ? "The server closed it." : undefined)),
    );
    for (const type of EVENT_TYPES) socket.on(type, (event: Event) => this.handlers.events([event]));
    socket.on("events:batch", (batch: EventsBatch) => this.handlers.events(batch.events));
    socket.on("pipeline:status", (status: PipelineStatus) => {
      // The acknowledgement of a pending subscription carries the snapshot and its cursor.
      if (this.subscribing === 0) this.handlers.snapshot(status);
    });
    socket.on("pipeline:removed", (notice: PipelineRemoved) => this.handlers.removed(notice.pipeline_id));
    socket.on("server:draining", (notice: ServerDraining) => this.handlers.draining(notice.retry_in));
    socket.on("auth:expiring", () => this.handlers.expiring());
  }

  /** Subscribes to one pipeline, or to all with null. */
  private async subscribe(pipelineId: string | null, cursor: string | null): Promise<void> {
    this.subscribing += 1;
    const answer = await this.ask<SubscribeAck>("subscribe", {
      batch: true,
      ...(pipelineId === null ? {} : { pipeline_id: pipelineId }),
      ...(cursor === null ? {} : { cursor }),
    });
    this.subscribing -= 1;
    if (!answer) return;
    if (!answer.ok) {
      this.onSubscribeRefused(pipelineId, cursor, answer.error);
      return;
    }
    this.handlers.settled(answer.pipelines, pipelineId === null);
    if (pipelineId === null) this.goLive();
  }

  /** A pipeline that was removed stays unsubscribed. Any other refusal would leave its data out of date. */
  private onSubscribeRefused(pipelineId: string | null, cursor: string | null, error: ErrorBody): void {
    if (cursor !== null && error.code.startsWith("cursor_")) void this.subscribe(pipelineId, null);
    else if (pipelineId === null || !GONE.has(error.code)) this.refuse(error);
  }

  private onRefused(error: Error & { data?: unknown }): void {
    const body = errorBody(error.data);
    if (body) this.refuse(body);
    else this.end(reason("socket_unreachable", sentence(error.message)));
  }

  private refuse(error: ErrorBody): void {
    const code = NOT_SIGNED_IN.has(error.code) ? "unauthorized" : "socket_refused";
    this.end(reason(code, sentence(error.message)), error);
  }

  private goLive(): void {
    if (this.isLive || this.ended) return;
    this.isLive = true;
    this.handlers.live();
    void this.ping(this.timing.pingTimeoutMs);
    // An earlier measurement would be of the burst of the start.
    this.after(FIRST_MEASUREMENT_MS, () => void this.keepMeasuring());
  }

  private async keepMeasuring(): Promise<void> {
    await this.probe(this.timing.pingTimeoutMs);
    if (!this.ended) this.after(this.timing.pingIntervalMs, () => void this.keepMeasuring());
  }

  /**
   * Asks as of when this connection knows everything. Ends the connection without an answer in time;
   * returns the round trip in ms, or null when it has ended.
   */
  private ping(timeoutMs: number): Promise<number | null> {
    const started = clock.now();
    return new Promise((resolve) => {
      const answered = (late: Error | null, time?: number, bookmark?: Bookmark) => {
        if (typeof time === "number") serverTime.heard(time, time, clock.now() - started);
        if (late) this.end(reason("socket_silent"));
        else if (!this.ended && typeof bookmark?.lag_ms === "number")
          this.handlers.confirmed(started - bookmark.lag_ms);
        resolve(this.ended ? null : clock.now() - started);
      };
      this.socket.timeout(timeoutMs).emit("ping", Date.now(), answered);
    });
  }

  /** Null when the connection ended before an answer came. */
  private async ask<T extends { ok: true }>(type: string, body: object): Promise<T | Refusal | null> {
    try {
      const answer = (await this.socket.timeout(ACK_TIMEOUT_MS).emitWithAck(type, body)) as T | Refusal;
      return this.ended ? null : answer;
    } catch {
      this.end(reason("socket_silent"));
      return null;
    }
  }

  private after(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, ms);
    this.timers.add(timer);
  }

  private end(why: Reason, error: ErrorBody | null = null): void {
    if (this.ended) return;
    this.close();
    this.handlers.down(why, error);
  }
}

function errorBody(data: unknown): ErrorBody | null {
  if (typeof data !== "object" || data === null) return null;
  const candidate = "error" in data ? data.error : data;
  return typeof candidate === "object" && candidate !== null && "code" in candidate
    ? (candidate as ErrorBody)
    : null;
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return trimmed === "" || /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
