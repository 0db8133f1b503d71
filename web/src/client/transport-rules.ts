import { reason, type Connection, type Reason, type SessionFacts } from "./connection";
import type { Effect, Event, State } from "./connection-state";
import { backoffMs } from "./timing";

const SHORTEST_RENEWAL_MS = 1_000;
/** Spreads the return of all pages when a server comes back. */
const RETURN_SPREAD_MS = 500;
const FAILURES_UNTIL_OFFLINE = 2;

/** The next state, and what the runner must do. */
export type Step = [State, Effect[]];

/** Tries the WebSocket and the poll at once. */
export function retryNow(state: State): Step {
  const polled: Effect[] = state.polling ? [{ type: "poll_now" }] : [];
  if (state.connection.preferPolling || state.socket !== "closed") return [state, polled];
  return chain(
    [{ ...state, attempt: 0 }, [...polled, { type: "clear_timer", name: "retry" }]],
    prepareSocket,
  );
}

export function prepareSocket(state: State): Step {
  if (state.connection.preferPolling || state.socket !== "closed") return [state, []];
  return [shown({ ...state, socket: "preparing" }, { retryAt: null }), [{ type: "prepare_socket" }]];
}

export function onSession(state: State, facts: SessionFacts, renewAt: number | null, at: number): Step {
  const known = shown({ ...state, renewAt }, facts);
  return state.socket === "live" ? [known, scheduleRenewal(renewAt, at)] : [known, []];
}

export function onPrepared(state: State, event: Event & { type: "prepared" }): Step {
  const known = shown({ ...state, renewAt: event.renewAt }, event.facts);
  if (state.socket !== "preparing") return [known, []];
  if (!event.available) return onSocketDown(known, reason("socket_unavailable"), 0, event);
  return [{ ...known, socket: "opening" }, [{ type: "open_socket" }]];
}

export function onLive(state: State, at: number): Step {
  if (state.socket !== "opening") return [state, []];
  const reconnects = state.connection.reconnects + (state.wasLive ? 1 : 0);
  const live = shown({ ...state, socket: "live", attempt: 0, wasLive: true }, { reconnects, retryAt: null });
  return chain(stopPolling(moved(live, "live", reason("connected"), at)), (next) => [
    next,
    [
      { type: "clear_timer", name: "fallback" },
      { type: "tell_activity", activity: state.activity },
      ...scheduleRenewal(state.renewAt, at),
    ],
  ]);
}

export function onSocketDown(state: State, why: Reason, retryAfterMs: number, { at, random }: Event): Step {
  const delay = Math.max(retryAfterMs, backoffMs(state.timing.socketRetry, state.attempt, random));
  return chain(
    dropSocket(state),
    (next) => poll(next, why, at),
    (next) => [next, why.code === "unauthorized" ? [{ type: "refresh_session" }] : []],
    (next) => scheduleRetry({ ...next, attempt: state.attempt + 1 }, delay, at),
  );
}

export function onDraining(state: State, retryInMs: number, at: number): Step {
  return chain(
    dropSocket(state),
    (next) => poll(next, reason("server_draining"), at),
    (next) => scheduleRetry({ ...next, attempt: 0 }, retryInMs, at),
  );
}

export function dropSocket(state: State): Step {
  return [
    { ...state, socket: "closed", lags: new Map() },
    [
      { type: "close_socket" },
      { type: "clear_timer", name: "renew" },
      { type: "clear_timer", name: "retry" },
      { type: "forget_lags" },
      { type: "flush_store" },
    ],
  ];
}

function scheduleRetry(state: State, ms: number, at: number): Step {
  return [shown(state, { retryAt: at + ms }), [{ type: "set_timer", name: "retry", ms }]];
}

function scheduleRenewal(renewAt: number | null, at: number): Effect[] {
  if (renewAt === null) return [{ type: "clear_timer", name: "renew" }];
  return [{ type: "set_timer", name: "renew", ms: Math.max(SHORTEST_RENEWAL_MS, renewAt - at) }];
}

/** Starts polling, or continues it for another reason. */
export function poll(state: State, why: Reason, at: number): Step {
  const { connection } = state;
  const next = { ...state, polling: why };
  const told =
    connection.state === "live"
      ? fellBack(next, at)
      : connection.state === "offline"
        ? next
        : moved(next, connection.state, why, at);
  const effects: Effect[] = [{ type: "clear_timer", name: "fallback" }];
  return [told, state.polling ? effects : [...effects, { type: "start_polling" }]];
}

export function stopPolling(state: State): Step {
  return state.polling ? [{ ...state, polling: null }, [{ type: "stop_polling" }]] : [state, []];
}

function fellBack(state: State, at: number): State {
  const { connection, polling } = state;
  const fallbacks = connection.fallbacks + (connection.state === "polling" ? 0 : 1);
  return moved(shown(state, { fallbacks }), "polling", polling ?? connection.reason, at);
}

export function onPolled(state: State, websocketAvailable: boolean | null, { at, random }: Event): Step {
  if (!state.polling) return [state, []];
  const wasOffline = state.connection.state === "offline";
  const answered = fellBack(shown(state, { heardAt: at }), at);
  const returned = websocketAvailable === true && state.socketWasAway;
  const known = websocketAvailable === null ? answered : { ...answered, socketWasAway: !websocketAvailable };
  if (wasOffline) return retryNow(known);
  if (!returned || known.connection.preferPolling || known.socket !== "closed") return [known, []];
  return scheduleRetry({ ...known, attempt: 0 }, random * RETURN_SPREAD_MS, at);
}

export function onPollFailed(state: State, event: Event & { type: "poll_failed" }): Step {
  if (!state.polling) return [state, []];
  const effects: Effect[] = event.denied ? [{ type: "refresh_session" }] : [];
  if (state.connection.state === "polling" && event.failures < FAILURES_UNTIL_OFFLINE)
    return [state, effects];
  const code = event.denied ? "unauthorized" : event.unreachable ? "server_unreachable" : "server_error";
  const why = reason(code, code === "server_error" ? event.message : undefined);
  return [shown(moved(state, "offline", why, event.at), { latencyMs: null }), effects];
}

export function hasSocket({ socket }: State): boolean {
  return socket === "opening" || socket === "live";
}

export function chain([state, effects]: Step, ...steps: ((state: State) => Step)[]): Step {
  let current = state;
  const all = [...effects];
  for (const step of steps) {
    const [next, more] = step(current);
    current = next;
    all.push(...more);
  }
  return [current, all];
}

export function shown(state: State, change: Partial<Connection>): State {
  return { ...state, connection: { ...state.connection, ...change } };
}

export function moved(state: State, to: Connection["state"], why: Reason, at: number): State {
  const since = to === state.connection.state && state.connection.since !== 0 ? state.connection.since : at;
  return shown(state, { state: to, since, reason: why });
}
