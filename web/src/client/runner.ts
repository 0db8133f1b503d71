import type { Session, SocketInfo } from "@/contract/types";
import type { Connection, SessionFacts } from "./connection";
import { clock, serverTime } from "./clock";
import { ApiError, type Http } from "./http";
import type { SessionKeeper } from "./session";
import type { Store } from "./store";
import type { Timing } from "./timing";
import type {
  CreateSocket,
  PollHandlers,
  PollingTransport,
  SocketHandlers,
  SocketTransport,
  Transports,
} from "./transports";
import { initialState, type Effect, type Event, type TimerName } from "./connection-state";
import { transition } from "./transition";

export interface RunnerOptions {
  preferPolling: boolean;
  /** True while nobody can see the page. */
  hidden: () => boolean;
  clientId: string;
  timing?: Timing;
}

type Happening = Event extends infer E
  ? E extends Event
    ? Omit<E, "at" | "clock" | "random">
    : never
  : never;
type Timer = ReturnType<typeof setTimeout>;

const INFO_TIMEOUT_MS = 2_000;

/** Carries out what `transition` decides: opens transports, sets timers, and reports what happens. */
export class ConnectionRunner {
  private state;
  private socket: SocketTransport | null = null;
  private createSocket: CreateSocket | null = null;
  private poller: PollingTransport | null = null;
  private readonly timers = new Map<TimerName, Timer>();
  private readonly lagTimers = new Map<string, Timer>();
  private readonly pending: Happening[] = [];
  private dispatching = false;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly http: Http,
    private readonly session: SessionKeeper,
    private readonly store: Store,
    private readonly transports: Transports,
    private readonly options: RunnerOptions,
  ) {
    this.state = initialState(options.preferPolling, options.timing);
    store.onTrouble = (pipelineId, trouble) =>
      this.dispatch({ type: "trouble", trouble, pipelineId, seq: this.store.seqOf(pipelineId) });
  }

  get connection(): Connection {
    return this.state.connection;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Takes what happened. Effects may report more; that is taken when they are all done. */
  dispatch(happening: Happening): void {
    this.pending.push(happening);
    if (this.dispatching) return;
    this.dispatching = true;
    try {
      for (let next = this.pending.shift(); next; next = this.pending.shift()) this.step(next);
    } finally {
      this.dispatching = false;
    }
  }

  private step(happening: Happening): void {
    const before = this.state.connection;
    const [state, effects] = transition(this.state, {
      ...happening,
      at: serverTime.now(),
      clock: clock.now(),
      random: Math.random(),
    });
    this.state = state;
    for (const effect of effects) this.run(effect);
    if (state.connection !== before) for (const listener of this.listeners) listener();
  }

  private run(effect: Effect): void {
    switch (effect.type) {
      case "prepare_socket":
        return void this.prepareSocket();
      case "open_socket":
        return this.openSocket();
      case "close_socket":
        this.socket?.close();
        this.socket = null;
        return;
      case "probe_socket":
        return void this.socket?.probe(effect.timeoutMs);
      case "tell_activity":
        return this.socket?.tellActivity(this.options.clientId, effect.activity);
      case "resubscribe": {
        const cursor = effect.withCursor ? this.store.cursorOf(effect.pipelineId) : null;
        return this.socket?.resubscribe(effect.pipelineId, cursor);
      }
      case "start_polling":
        this.poller = this.transports.createPoller(this.pollHandlers());
        return this.poller.start();
      case "stop_polling":
        this.poller?.stop();
        this.poller = null;
        return;
      case "poll_now":
        return this.poller?.pollNow();
      case "poll_from_start":
        return this.poller?.pollFromStart();
      case "load_session":
        return void this.reportSession(this.session.get());
      case "refresh_session":
        return void this.reportSession(this.session.refresh());
      case "forget_session":
        return this.session.forget();
      case "renew_session":
        return void this.renewSession();
      case "set_timer":
        return this.setTimer(effect.name, effect.ms);
      case "clear_timer":
        clearTimeout(this.timers.get(effect.name));
        this.timers.delete(effect.name);
        return;
      case "watch_lag":
        return this.watchLag(effect.pipelineId, effect.ms);
      case "forget_lags":
        for (const timer of this.lagTimers.values()) clearTimeout(timer);
        return this.lagTimers.clear();
      case "flush_store":
        return this.store.flush();
      case "forget_data":
        return this.store.forget();
    }
  }

  private async prepareSocket(): Promise<void> {
    try {
      const [session, available, createSocket] = await Promise.all([
        this.session.get(),
        this.isSocketAvailable(),
        this.transports.loadSocket(),
      ]);
      this.createSocket = createSocket;
      this.dispatch({ type: "prepared", available, ...this.known(session) });
    } catch (error) {
      if (!this.isDenied(error)) this.dispatch({ type: "preparation_failed" });
    }
  }

  /** The dashboard server's "no" is final. When it does not answer, the WebSocket is tried. */
  private async isSocketAvailable(): Promise<boolean> {
    try {
      const info = await this.http.get<SocketInfo>("/api/socket/info", { timeoutMs: INFO_TIMEOUT_MS });
      return info.available;
    } catch {
      return true;
    }
  }

  private openSocket(): void {
    const session = this.session.known;
    if (!session || !this.createSocket) return;
    const socket = this.createSocket(session, this.socketHandlers());
    this.socket = socket;
    socket.open();
  }

  private socketHandlers(): SocketHandlers {
    return {
      connected: () => this.dispatch({ type: "socket_connected" }),
      cursor: () => {
        this.store.flush();
        return this.store.cursor();
      },
      events: (events) => this.store.enqueue(events),
      snapshot: (status) => this.store.takeSnapshot(status),
      settled: (pipelines, all) => this.store.settle(pipelines, all),
      live: () => this.dispatch({ type: "socket_live" }),
      confirmed: (completeAt) => {
        this.store.flush();
        if (this.store.isComplete()) this.dispatch({ type: "socket_confirmed", completeAt });
      },
      down: (reason, error) =>
        this.dispatch({ type: "socket_down", reason, retryAfterMs: error?.retry_after_ms ?? 0 }),
      removed: (pipelineId) => this.store.remove(pipelineId),
      draining: (retryInMs) => this.dispatch({ type: "socket_draining", retryInMs }),
      expiring: () => this.dispatch({ type: "token_expiring" }),
      latency: (ms) => this.dispatch({ type: "socket_latency", ms }),
    };
  }

  private pollHandlers(): PollHandlers {
    return {
      cursor: () => {
        this.store.flush();
        return this.store.cursor();
      },
      working: () => this.store.isWorking(),
      hidden: this.options.hidden,
      answer: (answer, sinceCursor, completeAt) => {
        this.store.settlePoll(answer, sinceCursor);
        this.polled(answer.websocket_available, completeAt);
      },
      unchanged: (completeAt) => this.polled(null, completeAt),
      failed: (error, failures) => {
        const { unreachable, message } = error;
        if (!this.isDenied(error)) this.dispatch({ type: "poll_failed", unreachable, message, failures });
      },
      latency: (ms) => this.dispatch({ type: "poll_latency", ms }),
    };
  }

  /** An answer confirms nothing while events are missing that it should have brought. */
  private polled(websocketAvailable: boolean | null, completeAt: number | null): void {
    const isComplete = this.store.isComplete();
    this.dispatch({ type: "polled", websocketAvailable, completeAt: isComplete ? completeAt : null });
  }

  /** Reports a refusal for lack of rights. */
  private isDenied(error: unknown): boolean {
    if (!(error instanceof ApiError) || !error.denied) return false;
    this.dispatch({ type: "denied", code: error.code, message: error.message });
    return true;
  }

  private async reportSession(session: Promise<Session>): Promise<void> {
    try {
      this.dispatch({ type: "session", ...this.known(await session) });
    } catch (error) {
      this.isDenied(error); // Whatever else needs the session reports that it has none.
    }
  }

  private async renewSession(): Promise<void> {
    try {
      const session = await this.session.refresh();
      this.dispatch({ type: "session", ...this.known(session) });
      await this.socket?.authorize(session);
    } catch (error) {
      if (!this.isDenied(error)) this.dispatch({ type: "renewal_failed" });
    }
  }

  private setTimer(name: TimerName, ms: number): void {
    clearTimeout(this.timers.get(name));
    this.timers.set(
      name,
      setTimeout(() => this.dispatch({ type: "timer", name }), ms),
    );
  }

  private watchLag(pipelineId: string, ms: number): void {
    const due = () => {
      this.lagTimers.delete(pipelineId);
      this.store.flush();
      this.dispatch({ type: "lag_due", pipelineId, seq: this.store.seqOf(pipelineId) });
    };
    this.lagTimers.set(pipelineId, setTimeout(due, ms));
  }

  private known(session: Session): { facts: SessionFacts; renewAt: number | null } {
    const { websocket, version, role, may_operate: mayOperate } = session;
    return { facts: { url: websocket.url, version, role, mayOperate }, renewAt: this.session.renewAt() };
  }
}
