import type { ErrorBody, PipelineList, SocketInfo } from "@/contract/types";
import { backoffMs, reason, type Connection, type ConnectionState, type Reason } from "./connection";
import { ApiError, type Http } from "./http";
import { PollingChannel } from "./polling-channel";
import type { SessionKeeper } from "./session";
import { SocketChannel, type Activity } from "./socket-channel";
import type { Store, Trouble } from "./store";

export interface EngineOptions {
  preferPolling: boolean;
  hidden: () => boolean;
}

const FALLBACK_AFTER_MS = 2_500;
const PROBE_TIMEOUT_MS = 2_000;
/** All pages of all people return at once when a server does. */
const RETURN_SPREAD_MS = 500;
const BEHIND_GRACE_MS = 2_000;
const RECONCILE_BUSY_MS = 3_000;
const RECONCILE_IDLE_MS = 10_000;
const FAILURES_UNTIL_OFFLINE = 2;

/**
 * Keeps the store in step with the server: over a WebSocket, by polling while there is none, and
 * from one to the other by the cursor, so that nothing is lost, repeated or reordered.
 */
export class Engine {
  readonly clientId = crypto.randomUUID?.() ?? Math.random().toString(36).slice(2);
  private now: Connection;
  private socket: SocketChannel | null = null;
  private poller: PollingChannel | null = null;
  private opening = false;
  private attempt = 0;
  private started = false;
  private wasLive = false;
  private activity: Activity = "active";
  private pollReason: Reason = reason("starting");
  private socketWasAway = false;
  private retryTimer: Timer = null;
  private fallbackTimer: Timer = null;
  private renewTimer: Timer = null;
  private reconcileTimer: Timer = null;
  private readonly behindTimers = new Map<string, NonNullable<Timer>>();
  private readonly listeners = new Set<() => void>();
  private lastReconcile = 0;

  constructor(
    private readonly http: Http,
    private readonly session: SessionKeeper,
    private readonly store: Store,
    private readonly options: EngineOptions,
  ) {
    this.now = {
      state: "connecting",
      since: Date.now(),
      reason: reason("starting"),
      latencyMs: null,
      heardAt: null,
      retryAt: null,
      preferPolling: options.preferPolling,
      reconnects: 0,
      fallbacks: 0,
      url: null,
      version: null,
      role: null,
      mayOperate: false,
    };
    store.onTrouble = (id, trouble, type) => this.onTrouble(id, trouble, type);
  }

  get connection(): Connection {
    return this.now;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start(): void {
    if (this.started) return;
    this.started = true;
    this.set("connecting", reason("starting"));
    this.reconcileTimer = setInterval(() => void this.reconcile(), RECONCILE_BUSY_MS);
    if (this.now.preferPolling) {
      this.poll(reason("preferred"));
      void this.session.get().then(
        () => this.update(this.sessionFacts()),
        () => undefined,
      );
    } else {
      this.fallbackTimer = setTimeout(() => this.poll(reason("socket_slow")), FALLBACK_AFTER_MS);
      void this.openSocket();
    }
  }

  stop(): void {
    this.started = false;
    this.clearTimers();
    this.socket?.close();
    this.socket = null;
    this.stopPolling();
  }

  setPreferPolling(preferPolling: boolean): void {
    if (preferPolling === this.now.preferPolling) return;
    this.update({ preferPolling });
    if (preferPolling) {
      this.dropSocket();
      this.poll(reason("preferred"));
    } else this.retryNow();
  }

  /** Tries the WebSocket, and the poll, at once. */
  retryNow(): void {
    if (!this.started) return;
    this.poller?.kick();
    if (this.now.preferPolling || this.socket || this.opening) return;
    this.attempt = 0;
    clear(this.retryTimer);
    void this.openSocket();
  }

  /** Somebody has shown who they are: begin again with that. */
  signIn(): void {
    this.session.forget();
    this.retryNow();
  }

  /** The page was asleep, or the network is back: find out at once what still stands. */
  wake(): void {
    if (this.socket && this.now.state === "live") void this.socket.probe(1_500);
    else this.retryNow();
    this.lastReconcile = 0;
  }

  setActivity(activity: Activity): void {
    if (activity === this.activity) return;
    this.activity = activity;
    this.socket?.tellActivity(this.clientId, activity);
    if (activity === "active") this.poller?.kick();
  }

  private async openSocket(): Promise<void> {
    if (this.opening || this.socket || !this.started || this.now.preferPolling) return;
    this.opening = true;
    this.update({ retryAt: null });
    try {
      const [session, available] = await Promise.all([this.session.get(), this.isSocketAvailable()]);
      this.update(this.sessionFacts());
      if (!this.started || this.mayNotOpen()) return;
      if (!available) this.onSocketDown(reason("socket_unavailable"), null);
      else this.connect(new SocketChannel(session, this.socketHandlers()));
    } catch (error) {
      const denied = error instanceof ApiError && error.denied;
      this.onSocketDown(reason(denied ? "unauthorized" : "socket_unavailable"), null);
    } finally {
      this.opening = false;
    }
  }

  private mayNotOpen(): boolean {
    return this.now.preferPolling || this.socket !== null;
  }

  private connect(channel: SocketChannel): void {
    this.socket = channel;
    channel.open();
  }

  /** A server that says no is believed; one that cannot be asked is tried. */
  private async isSocketAvailable(): Promise<boolean> {
    try {
      const info = await this.http.get<SocketInfo>("/api/socket/info", { timeoutMs: PROBE_TIMEOUT_MS });
      return info.available;
    } catch {
      return true;
    }
  }

  private socketHandlers() {
    return {
      connected: () => this.stopPolling(),
      cursor: (type: string) => {
        this.store.flush();
        return this.store.cursor(type);
      },
      events: this.store.enqueue.bind(this.store),
      snapshot: (status: Parameters<Store["takeSnapshot"]>[0]) => this.store.takeSnapshot(status),
      settled: (pipelines: Parameters<Store["settle"]>[0]) => this.store.settle(pipelines),
      live: () => this.onLive(),
      down: (why: Reason, error: ErrorBody | null) => this.onSocketDown(why, error),
      draining: (retryInMs: number) => this.onDraining(retryInMs),
      expiring: () => void this.renew(),
      latency: (latencyMs: number) => this.update({ latencyMs, heardAt: Date.now() }),
    };
  }

  private onLive(): void {
    clear(this.fallbackTimer);
    this.stopPolling();
    this.attempt = 0;
    const reconnects = this.now.reconnects + (this.wasLive ? 1 : 0);
    this.wasLive = true;
    this.update({ reconnects, retryAt: null });
    this.set("live", reason("connected"));
    this.socket?.tellActivity(this.clientId, this.activity);
    this.scheduleRenewal();
  }

  private onSocketDown(why: Reason, error: ErrorBody | null): void {
    this.dropSocket();
    if (!this.started || this.now.preferPolling) return;
    this.poll(why);
    if (why.code === "unauthorized") void this.session.refresh().catch(() => undefined);
    this.scheduleRetry(Math.max(error?.retry_after_ms ?? 0, backoffMs(this.attempt)));
    this.attempt += 1;
  }

  private onDraining(retryInMs: number): void {
    this.dropSocket();
    this.poll(reason("server_draining"));
    this.attempt = 0;
    this.scheduleRetry(retryInMs);
  }

  private dropSocket(): void {
    this.socket?.close();
    this.socket = null;
    clear(this.renewTimer);
    clear(this.retryTimer);
    for (const timer of this.behindTimers.values()) clearTimeout(timer);
    this.behindTimers.clear();
    this.store.flush();
  }

  private scheduleRetry(ms: number): void {
    clear(this.retryTimer);
    this.update({ retryAt: Date.now() + ms });
    this.retryTimer = setTimeout(() => void this.openSocket(), ms);
  }

  /** Starts polling, or goes on with it for another reason. */
  private poll(why: Reason): void {
    clear(this.fallbackTimer);
    this.pollReason = why;
    if (this.now.state === "live") this.setPolling();
    else if (this.now.state !== "offline") this.set(this.now.state, why);
    if (this.poller) return;
    this.poller = new PollingChannel(this.http, {
      cursor: () => {
        this.store.flush();
        return this.store.cursor();
      },
      working: () => this.store.isWorking(),
      hidden: this.options.hidden,
      awaitsSocket: () => !this.now.preferPolling,
      answer: (answer, sinceCursor) => {
        this.store.settlePoll(answer, sinceCursor);
        this.onPolled();
        this.noteAvailability(answer.websocket_available);
      },
      unchanged: () => {
        this.store.confirmAll();
        this.onPolled();
      },
      failed: (error, failures) => this.onPollFailed(error, failures),
      latency: (latencyMs) => this.update({ latencyMs }),
    });
    this.poller.start();
  }

  private stopPolling(): void {
    this.poller?.stop();
    this.poller = null;
  }

  private onPolled(): void {
    this.update({ heardAt: Date.now() });
    if (this.now.state === "live") return;
    const wasOffline = this.now.state === "offline";
    this.setPolling();
    if (wasOffline) this.retryNow();
  }

  private setPolling(): void {
    if (this.now.state !== "polling") this.update({ fallbacks: this.now.fallbacks + 1 });
    this.set("polling", this.pollReason);
  }

  /** The dashboard server sees the status server come back: there is no point in waiting longer. */
  private noteAvailability(available: boolean): void {
    const cameBack = available && this.socketWasAway;
    this.socketWasAway = !available;
    if (!cameBack || this.now.preferPolling || this.socket) return;
    this.attempt = 0;
    this.scheduleRetry(Math.random() * RETURN_SPREAD_MS);
  }

  private onPollFailed(error: ApiError, failures: number): void {
    if (this.now.state === "live") return;
    if (error.denied) void this.session.refresh().catch(() => undefined);
    if (this.now.state === "polling" && failures < FAILURES_UNTIL_OFFLINE) return;
    const code = error.denied ? "unauthorized" : error.unreachable ? "server_unreachable" : "server_error";
    this.set("offline", reason(code, code === "server_error" ? error.message : undefined));
    this.update({ latencyMs: null });
  }

  private onTrouble(id: string, trouble: Trouble, type: string): void {
    if (trouble === "behind") this.watchBehind(id, type);
    else if (this.socket) this.resubscribe(id, type, trouble === "gap");
    else this.poller?.restart();
  }

  private resubscribe(id: string, type: string, withCursor: boolean): void {
    this.socket?.resubscribe(type, id, withCursor ? this.store.cursorOf(id) : null);
  }

  /** Events may be on their way; only a lag that stays is a loss. */
  private watchBehind(id: string, type: string): void {
    if (this.behindTimers.has(id)) return;
    const seq = this.store.pipeline(id)?.seq;
    const timer = setTimeout(() => {
      this.behindTimers.delete(id);
      this.store.flush();
      if (this.store.pipeline(id)?.seq === seq) this.resubscribe(id, type, true);
    }, BEHIND_GRACE_MS);
    this.behindTimers.set(id, timer);
  }

  private scheduleRenewal(): void {
    clear(this.renewTimer);
    const ms = this.session.renewInMs();
    if (ms !== null) this.renewTimer = setTimeout(() => void this.renew(), ms);
  }

  private async renew(): Promise<void> {
    try {
      const session = await this.session.refresh();
      this.update(this.sessionFacts());
      await this.socket?.authorize(session);
      this.scheduleRenewal();
    } catch {
      clear(this.renewTimer);
      this.renewTimer = setTimeout(() => void this.renew(), 2_000);
    }
  }

  /** Counts of queued files are in no event: while live they are asked for, seldom. */
  private async reconcile(): Promise<void> {
    const busy = this.store.isUnsettled() || this.store.pipelineIds().length === 0;
    const interval = busy ? RECONCILE_BUSY_MS : RECONCILE_IDLE_MS;
    if (this.now.state !== "live" || this.options.hidden()) return;
    if (Date.now() - this.lastReconcile < interval - 100) return;
    this.lastReconcile = Date.now();
    try {
      const { pipelines } = await this.http.get<PipelineList>("/api/pipelines", { timeoutMs: 5_000 });
      if (this.now.state !== "live") return;
      this.store.flush();
      for (const status of pipelines) {
        if (this.store.pipeline(status.pipeline_id)) this.store.reconcile(status);
        else this.socket?.resubscribe(status.pipeline_type, status.pipeline_id, null);
      }
      this.store.retain(new Set(pipelines.map((status) => status.pipeline_id)));
    } catch {
      // The WebSocket goes on without it.
    }
  }

  private sessionFacts(): Partial<Connection> {
    const known = this.session.known;
    return {
      url: known?.websocket.url ?? null,
      version: known?.version ?? null,
      role: known?.role ?? null,
      mayOperate: known?.may_operate ?? false,
    };
  }

  private set(state: ConnectionState, why: Reason): void {
    const since = state === this.now.state ? this.now.since : Date.now();
    this.update({ state, since, reason: why });
  }

  private update(change: Partial<Connection>): void {
    this.now = { ...this.now, ...change };
    for (const listener of this.listeners) listener();
  }

  private clearTimers(): void {
    for (const timer of [this.retryTimer, this.fallbackTimer, this.renewTimer]) clear(timer);
    if (this.reconcileTimer) clearInterval(this.reconcileTimer);
    for (const timer of this.behindTimers.values()) clearTimeout(timer);
    this.behindTimers.clear();
  }
}

type Timer = ReturnType<typeof setTimeout> | null;

function clear(timer: Timer): void {
  if (timer !== null) clearTimeout(timer);
}
