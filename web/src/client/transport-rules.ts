import { reason, type Connection, type Reason, type ReasonCode, type SessionFacts } from "./connection";
import type { Effect, Event, State } from "./connection-state";
import { backoffMs } from "./timing";

const SHORTEST_RENEWAL_MS = 1_000;
/** Spreads the return of all pages when a server comes back. */
const RETURN_SPREAD_MS = 500;
const FAILURES_UNTIL_OFFLINE = 2;
const DENIALS: Partial<Record<string, ReasonCode>> = {
  forbidden: "forbidden",
  token_expired: "access_ended",
  token_revoked: "access_ended",
};

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

/** Every pipeline is subscribed. It shows as live once the server confirms that nothing is missing. */
export function onLive(state: State, { at, clock }: Event): Step {
  if (state.socket !== "opening") return [state, []];
  const reconnects = state.connection.reconnects + (state.wasLive ? 1 : 0);
  const live = shown({ ...state, socket: "live", attempt: 0, wasLive: true }, { reconnects, retryAt: null });
  return chain(
    stopPolling(live),
    (next) => [isFresh(next, clock) ? moved(next, "live", reason("connected"), at) : next, []],
    (next) => [
      next,
      [
        { type: "clear_timer", name: "fallback" },
        { type: "tell_activity", activity: state.activity },
        ...awaitConfirmation(next),
        ...scheduleRenewal(state.renewAt, at),
      ],
    ],
  );
}

/** The status server said as of when its knowledge is complete. One that is behind is left for polling. */
export function onSocketConfirmed(state: State, completeAt: number, event: Event): Step {
  if (event.clock - completeAt > state.timing.behindAfterMs)
    return onSocketDown(state, reason("socket_behind"), 0, event);
  return chain(confirm(state, completeAt, event), (next) => [
    next.socket === "live" ? moved(next, "live", reason("connected"), event.at) : next,
    [],
  ]);
}

/** Records as of when everything is known, and sets the timer after which it is out of date. */
function confirm(state: State, completeAt: number, { clock }: Event): Step {
  const latest = Math.max(completeAt, state.connection.completeAt ?? completeAt);
  const next = shown(state, { completeAt: latest });
  return [next, [timeFreshness(next, latest, clock)]];
}

function timeFreshness({ timing }: State, completeAt: number, clock: number): Effect {
  return { type: "set_timer", name: "stale", ms: Math.max(0, completeAt + timing.staleAfterMs - clock) };
}

/** The timer may be early by less than its unit. */
export function onStaleTimer(state: State, event: Event): Step {
  const { completeAt } = state.connection;
  if (completeAt === null || !isFresh(state, event.clock)) return checkFreshness(state, event);
  return [state, [timeFreshness(state, completeAt, event.clock)]];
}

function isFresh({ connection, timing }: State, clock: number): boolean {
  return connection.completeAt !== null && clock - connection.completeAt < timing.staleAfterMs;
}

/** Data that no answer has confirmed yet must not look fresh for long either. */
function awaitConfirmation({ connection, timing }: State): Effect[] {
  return connection.completeAt === null
    ? [{ type: "set_timer", name: "stale", ms: timing.staleAfterMs }]
    : [];
}

/** Shows data as out of date when its confirmation is too old, whatever the transport still receives. */
export function checkFreshness(state: State, { at, clock }: Event): Step {
  const { connection } = state;
  const looksFresh =
    connection.state === "live" ||
    connection.state === "polling" ||
    (connection.state === "connecting" && state.wasLive);
  if (!looksFresh || isFresh(state, clock)) return [state, []];
  return [shown(moved(state, "stale", reason("unconfirmed"), at), { latencyMs: null }), []];
}

/** The viewer has no rights, or no longer: nothing is requested until there are others. */
export function onDenied(state: State, { code, message, at }: Event & { type: "denied" }): Step {
  const why = reason(DENIALS[code] ?? "unauthorized", message);
  return chain(dropSocket(state), stopPolling, (next) => [
    shown(moved(next, "signed_out", why, at), { retryAt: null, latencyMs: null, completeAt: null }),
    [
      { type: "clear_timer", name: "fallback" },
      { type: "clear_timer", name: "stale" },
      { type: "forget_session" },
      { type: "forget_data" },
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
  const wasPolling = connection.state === "polling" || connection.state === "stale";
  const fallbacks = connection.fallbacks + (wasPolling ? 0 : 1);
  return moved(shown(state, { fallbacks }), "polling", polling ?? connection.reason, at);
}

export function onPolled(state: State, event: Event & { type: "polled" }): Step {
  if (!state.polling) return [state, []];
  const { websocketAvailable, completeAt, at, clock } = event;
  const wasOffline = state.connection.state === "offline";
  const returned = websocketAvailable === true && state.socketWasAway;
  const known = websocketAvailable === null ? state : { ...state, socketWasAway: !websocketAvailable };
  return chain(
    completeAt === null ? [known, []] : confirm(known, completeAt, event),
    (next) => [isFresh(next, clock) ? fellBack(next, at) : answeredLate(next, at), []],
    (next) => (wasOffline ? retryNow(next) : returned ? retryReturned(next, event) : [next, []]),
  );
}

/** The server answers, but what it sent does not reach the present. */
function answeredLate(state: State, at: number): State {
  return state.connection.state === "offline" ? moved(state, "stale", reason("unconfirmed"), at) : state;
}

function retryReturned(state: State, { at, random }: Event): Step {
  if (state.connection.preferPolling || state.socket !== "closed") return [state, []];
  return scheduleRetry({ ...state, attempt: 0 }, random * RETURN_SPREAD_MS, at);
}

export function onPollFailed(state: State, event: Event & { type: "poll_failed" }): Step {
  if (!state.polling) return [state, []];
  if (state.connection.state === "polling" && event.failures < FAILURES_UNTIL_OFFLINE) return [state, []];
  const why = event.unreachable ? reason("server_unreachable") : reason("server_error", event.message);
  return [shown(moved(state, "offline", why, event.at), { latencyMs: null }), []];
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
