import { Manager, type Socket } from "socket.io-client";
import type {
  ErrorBody,
  Event,
  EventsBatch,
  PipelineRemoved,
  PipelineStatus,
  ServerDraining,
  Session,
  SubscribeAck,
} from "@/contract/types";
import { reason, type Reason } from "./connection";
import type { Activity, SocketHandlers, SocketTransport } from "./transports";

interface Refusal {
  ok: false;
  error: ErrorBody;
}

const OPENING_TIMEOUT_MS = 6_000;
const ACK_TIMEOUT_MS = 5_000;
const FIRST_PING_MS = 600;
const PING_INTERVAL_MS = 5_000;
const PING_TIMEOUT_MS = 4_000;
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
const REFUSED_FOR_GOOD = new Set(["forbidden", "not_found"]);

/** One Socket.IO connection with a namespace per pipeline type. It ends once, and is not reused. */
export class SocketConnection implements SocketTransport {
  private readonly manager: Manager;
  private readonly sockets = new Map<string, Socket>();
  private readonly subscribed = new Set<string>();
  private readonly subscribing = new Set<string>();
  private readonly refused = new Map<string, ErrorBody | null>();
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();
  private isLive = false;
  private ended = false;

  constructor(
    private session: Session,
    private readonly handlers: SocketHandlers,
  ) {
    const { url, path } = session.websocket;
    this.manager = new Manager(url, {
      path,
      transports: ["websocket"],
      reconnection: false,
      timeout: OPENING_TIMEOUT_MS,
      autoConnect: false,
      forceNew: true,
    });
  }

  open(): void {
    this.after(OPENING_TIMEOUT_MS, () => {
      if (!this.isLive) this.end(reason("socket_slow"));
    });
    this.manager.on("error", (error) => this.end(reason("socket_unreachable", sentence(error.message))));
    this.manager.on("close", () => this.end(reason(this.isLive ? "socket_lost" : "socket_unreachable")));
    for (const namespace of this.session.websocket.namespaces) this.join(namespace);
    if (this.sockets.size === 0) this.end(reason("socket_refused", "It offers no namespace."));
  }

  /** Subscribes to one pipeline again: replays what follows the cursor, or sends a snapshot without one. */
  resubscribe(pipelineType: string, pipelineId: string, cursor: string | null): void {
    const entry = [...this.sockets].find(([name]) => typeOf(name) === pipelineType);
    if (entry) void this.subscribe(entry[0], entry[1], pipelineId, cursor);
  }

  /** Presents a renewed token on the open connection. */
  async authorize(session: Session): Promise<void> {
    this.session = session;
    for (const socket of this.sockets.values()) {
      const answer = await this.ask<{ ok: true }>(socket, "auth:refresh", { token: session.token ?? "" });
      if (answer && !answer.ok) this.end(reason("unauthorized"), answer.error);
    }
  }

  tellActivity(clientId: string, status: Activity): void {
    for (const socket of this.connectedSockets())
      socket.emit("client:status", { client_id: clientId, status, timestamp: new Date().toISOString() });
  }

  /** Ends the connection unless the server answers in time. */
  async probe(timeoutMs: number): Promise<void> {
    const socket = this.connectedSockets()[0];
    if (!socket) {
      this.end(reason("socket_lost"));
      return;
    }
    const started = performance.now();
    try {
      await socket.timeout(timeoutMs).emitWithAck("ping", Date.now());
      if (!this.ended) this.handlers.latency(performance.now() - started);
    } catch {
      this.end(reason("socket_silent"));
    }
  }

  /** Closes without telling the handlers. */
  close(): void {
    if (this.ended) return;
    this.ended = true;
    for (const timer of this.timers) clearTimeout(timer);
    for (const socket of this.sockets.values()) socket.removeAllListeners().disconnect();
    this.manager.removeAllListeners();
    this.manager.engine?.close();
  }

  private join(namespace: string): void {
    const socket = this.manager.socket(namespace, {
      auth: (give: (auth: object) => void) => give(this.session.token ? { token: this.session.token } : {}),
    });
    this.sockets.set(namespace, socket);
    socket.on("connect", () => {
      if (this.subscribed.size === 0 && this.subscribing.size === 0) this.handlers.connected();
      void this.subscribe(namespace, socket, null, this.handlers.cursor(typeOf(namespace)));
    });
    socket.on("connect_error", (error) => this.onRefused(namespace, error));
    socket.on("disconnect", (why) =>
      this.end(reason("socket_lost", why === "io server disconnect" ? "The server closed it." : undefined)),
    );
    for (const type of EVENT_TYPES) socket.on(type, (event: Event) => this.handlers.events([event]));
    socket.on("events:batch", (batch: EventsBatch) => this.handlers.events(batch.events));
    socket.on("pipeline:status", (status: PipelineStatus) => {
      // The acknowledgement of a pending subscription carries the snapshot and its cursor.
      if (!this.subscribing.has(namespace)) this.handlers.snapshot(status);
    });
    socket.on("pipeline:removed", (notice: PipelineRemoved) => this.handlers.removed(notice.pipeline_id));
    socket.on("server:draining", (notice: ServerDraining) => this.handlers.draining(notice.retry_in));
    socket.on("auth:expiring", () => this.handlers.expiring());
    socket.connect();
  }

  private async subscribe(
    namespace: string,
    socket: Socket,
    pipelineId: string | null,
    cursor: string | null,
  ): Promise<void> {
    this.subscribing.add(namespace);
    const answer = await this.ask<SubscribeAck>(socket, "subscribe", {
      batch: true,
      ...(pipelineId === null ? {} : { pipeline_id: pipelineId }),
      ...(cursor === null ? {} : { cursor }),
    });
    this.subscribing.delete(namespace);
    if (!answer) return;
    if (!answer.ok) {
      this.onSubscribeRefused(namespace, pipelineId, cursor, answer.error);
      return;
    }
    this.handlers.settled(answer.pipelines, pipelineId === null ? typeOf(namespace) : null);
    this.subscribed.add(namespace);
    this.goLiveWhenComplete();
  }

  private onSubscribeRefused(
    namespace: string,
    pipelineId: string | null,
    cursor: string | null,
    error: ErrorBody,
  ): void {
    const socket = this.sockets.get(namespace);
    if (socket && cursor !== null && error.code.startsWith("cursor_"))
      void this.subscribe(namespace, socket, pipelineId, null);
    else if (pipelineId !== null) return;
    else this.refuse(namespace, error);
  }

  private onRefused(namespace: string, error: Error & { data?: unknown }): void {
    const body = errorBody(error.data);
    if (!body && error.message !== "Invalid namespace")
      this.end(reason("socket_unreachable", sentence(error.message)));
    else this.refuse(namespace, body);
  }

  /** Continues without a namespace that this token may not see; any other refusal ends the attempt. */
  private refuse(namespace: string, error: ErrorBody | null): void {
    if (error && !REFUSED_FOR_GOOD.has(error.code)) {
      const code =
        error.code === "unauthenticated" || error.code === "token_expired"
          ? "unauthorized"
          : "socket_refused";
      this.end(reason(code, sentence(error.message)), error);
      return;
    }
    this.refused.set(namespace, error);
    if (this.refused.size === this.sockets.size)
      this.end(reason("socket_refused", error ? sentence(error.message) : undefined), error);
    else this.goLiveWhenComplete();
  }

  private goLiveWhenComplete(): void {
    if (this.isLive || this.ended) return;
    if (this.subscribed.size + this.refused.size < this.sockets.size) return;
    this.isLive = true;
    this.handlers.live();
    // An earlier ping would measure the burst of the start.
    this.after(FIRST_PING_MS, () => void this.keepMeasuring());
  }

  private async keepMeasuring(): Promise<void> {
    await this.probe(PING_TIMEOUT_MS);
    if (!this.ended) this.after(PING_INTERVAL_MS, () => void this.keepMeasuring());
  }

  /** Null when the connection ended before an answer came. */
  private async ask<T extends { ok: true }>(
    socket: Socket,
    type: string,
    body: object,
  ): Promise<T | Refusal | null> {
    try {
      const answer = (await socket.timeout(ACK_TIMEOUT_MS).emitWithAck(type, body)) as T | Refusal;
      return this.ended ? null : answer;
    } catch {
      this.end(reason("socket_silent"));
      return null;
    }
  }

  private connectedSockets(): Socket[] {
    return [...this.sockets.values()].filter((socket) => socket.connected);
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

function typeOf(namespace: string): string {
  return namespace.replace(/^\//, "");
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
