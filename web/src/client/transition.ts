import { backoffMs, reason, type Connection, type Reason, type SessionFacts } from "./connection";
import type { Effect, Event, EventType, State, TimerName } from "./connection-state";
import type { Activity } from "./transports";

const FALLBACK_AFTER_MS = 2_500;
const LAG_GRACE_MS = 2_000;
const RENEWAL_RETRY_MS = 2_000;
const SHORTEST_RENEWAL_MS = 1_000;
const WAKE_PROBE_MS = 1_500;
/** Spreads the return of all pages when a server comes back. */
const RETURN_SPREAD_MS = 500;
const FAILURES_UNTIL_OFFLINE = 2;

type Step = [State, Effect[]];

/** Reports of a WebSocket; without one they are late and mean nothing. */
const SOCKET_EVENTS: ReadonlySet<EventType> = new Set<EventType>([
  "socket_connected",
  "socket_live",
  "socket_down",
  "socket_draining",
  "socket_latency",
  "token_expiring",
]);

/**
 * The rules of the connection: a WebSocket where possible, polling while there is none, and back.
 * Pure: no clock, no timer, no I/O. The runner carries out the effects in order.
 */
export function transition(state: State, event: Event): Step {
  if (!state.started && event.type !== "start") return whileStopped(state, event);
  if (SOCKET_EVENTS.has(event.type) && !hasSocket(state)) return [state, []];
  switch (event.type) {
    case "start":
      return state.started ? [state, []] : start(state, event.at);
    case "stop":
      return stop(state);
    case "prefer_polling":
      return preferPolling(state, event.prefer, event.at);
    case "retry_now":
      return retryNow(state);
    case "signed_in":
      return chain([state, [{ type: "forget_session" }]], retryNow);
    case "woke":
      return state.socket === "live"
        ? [state, [{ type: "probe_socket", timeoutMs: WAKE_PROBE_MS }]]
        : retryNow(state);
    case "activity":
      return changeActivity(state, event.activity);
    case "session":
      return onSession(state, event.facts, event.renewAt, event.at);
    case "renewal_failed":
      return [state, hasSocket(state) ? [{ type: "set_timer", name: "renew", ms: RENEWAL_RETRY_MS }] : []];
    case "prepared":
      return onPrepared(state, event);
    case "preparation_failed":
      if (state.socket !== "preparing") return [state, []];
      return onSocketDown(state, reason(event.denied ? "unauthorized" : "socket_unavailable"), 0, event);
    case "socket_connected":
      return stopPolling(state);
    case "socket_live":
      return onLive(state, event.at);
    case "socket_down":
      return onSocketDown(state, event.reason, event.retryAfterMs, event);
    case "socket_draining":
      return onDraining(state, event.retryInMs, event.at);
    case "socket_latency":
      return [shown(state, { latencyMs: event.ms, heardAt: event.at }), []];
    case "token_expiring":
      return [state, [{ type: "renew_session" }]];
    case "polled":
      return onPolled(state, event.websocketAvailable, event);
    case "poll_failed":
      return onPollFailed(state, event);
    case "poll_latency":
      return [shown(state, { latencyMs: event.ms }), []];
    case "trouble":
      return onTrouble(state, event);
    case "timer":
      return onTimer(state, event.name, event.at);
    case "lag_due":
      return onLagDue(state, event.pipelineId, event.seq);
  }
}

/** Before the start and after the stop, only choices are recorded. */
function whileStopped(state: State, event: Event): Step {
  if (event.type === "prefer_polling") return [shown(state, { preferPolling: event.prefer }), []];
  if (event.type === "activity") return [{ ...state, activity: event.activity }, []];
  if (event.type === "signed_in") return [state, [{ type: "forget_session" }]];
  return [state, []];
}

function start(state: State, at: number): Step {
  const started = moved({ ...state, started: true }, "connecting", reason("starting"), at);
  if (state.connection.preferPolling)
    return chain(poll(started, reason("preferred"), at), (next) => [next, [{ type: "load_session" }]]);
  return chain([started, [{ type: "set_timer", name: "fallback", ms: FALLBACK_AFTER_MS }]], prepareSocket);
}

function stop(state: State): Step {
  return [
    { ...state, started: false, socket: "closed", polling: null, lags: new Map() },
    [
      { type: "clear_timer", name: "fallback" },
      { type: "clear_timer", name: "retry" },
      { type: "clear_timer", name: "renew" },
      { type: "forget_lags" },
      { type: "close_socket" },
      { type: "stop_polling" },
    ],
  ];
}

function preferPolling(state: State, prefer: boolean, at: number): Step {
  if (prefer === state.connection.preferPolling) return [state, []];
  const chosen = shown(state, { preferPolling: prefer });
  if (!prefer) return retryNow(chosen);
  return chain(dropSocket(chosen), (next) => poll(shown(next, { retryAt: null }), reason("preferred"), at));
}

/** Tries the WebSocket and the poll at once. */
function retryNow(state: State): Step {
  const polled: Effect[] = state.polling ? [{ type: "poll_now" }] : [];
  if (state.connection.preferPolling || state.socket !== "closed") return [state, polled];
  return chain(
    [{ ...state, attempt: 0 }, [...polled, { type: "clear_timer", name: "retry" }]],
    prepareSocket,
  );
}

function prepareSocket(state: State): Step {
  if (state.connection.preferPolling || state.socket !== "closed") return [state, []];
  return [shown({ ...state, socket: "preparing" }, { retryAt: null }), [{ type: "prepare_socket" }]];
}

function changeActivity(state: State, activity: Activity): Step {
  if (activity === state.activity) return [state, []];
  const effects: Effect[] = [];
  if (state.socket === "opening" || state.socket === "live")
    effects.push({ type: "tell_activity", activity });
  if (activity === "active" && state.polling) effects.push({ type: "poll_now" });
  return [{ ...state, activity }, effects];
}

function onSession(state: State, facts: SessionFacts, renewAt: number | null, at: number): Step {
  const known = shown({ ...state, renewAt }, facts);
  return state.socket === "live" ? [known, scheduleRenewal(renewAt, at)] : [known, []];
}

function onPrepared(state: State, event: Event & { type: "prepared" }): Step {
  const known = shown({ ...state, renewAt: event.renewAt }, event.facts);
  if (state.socket !== "preparing") return [known, []];
  if (!event.available) return onSocketDown(known, reason("socket_unavailable"), 0, event);
  return [{ ...known, socket: "opening" }, [{ type: "open_socket" }]];
}

function onLive(state: State, at: number): Step {
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

function onSocketDown(state: State, why: Reason, retryAfterMs: number, { at, random }: Event): Step {
  const delay = Math.max(retryAfterMs, backoffMs(state.attempt, random));
  return chain(
    dropSocket(state),
    (next) => poll(next, why, at),
    (next) => [next, why.code === "unauthorized" ? [{ type: "refresh_session" }] : []],
    (next) => scheduleRetry({ ...next, attempt: state.attempt + 1 }, delay, at),
  );
}

function onDraining(state: State, retryInMs: number, at: number): Step {
  return chain(
    dropSocket(state),
    (next) => poll(next, reason("server_draining"), at),
    (next) => scheduleRetry({ ...next, attempt: 0 }, retryInMs, at),
  );
}

function dropSocket(state: State): Step {
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
function poll(state: State, why: Reason, at: number): Step {
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

function stopPolling(state: State): Step {
  return state.polling ? [{ ...state, polling: null }, [{ type: "stop_polling" }]] : [state, []];
}

function fellBack(state: State, at: number): State {
  const { connection, polling } = state;
  const fallbacks = connection.fallbacks + (connection.state === "polling" ? 0 : 1);
  return moved(shown(state, { fallbacks }), "polling", polling ?? connection.reason, at);
}

function onPolled(state: State, websocketAvailable: boolean | null, { at, random }: Event): Step {
  if (!state.polling) return [state, []];
  const wasOffline = state.connection.state === "offline";
  const answered = fellBack(shown(state, { heardAt: at }), at);
  const returned = websocketAvailable === true && state.socketWasAway;
  const known = websocketAvailable === null ? answered : { ...answered, socketWasAway: !websocketAvailable };
  if (wasOffline) return retryNow(known);
  if (!returned || known.connection.preferPolling || known.socket !== "closed") return [known, []];
  return scheduleRetry({ ...known, attempt: 0 }, random * RETURN_SPREAD_MS, at);
}

function onPollFailed(state: State, event: Event & { type: "poll_failed" }): Step {
  if (!state.polling) return [state, []];
  const effects: Effect[] = event.denied ? [{ type: "refresh_session" }] : [];
  if (state.connection.state === "polling" && event.failures < FAILURES_UNTIL_OFFLINE)
    return [state, effects];
  const code = event.denied ? "unauthorized" : event.unreachable ? "server_unreachable" : "server_error";
  const why = reason(code, code === "server_error" ? event.message : undefined);
  return [shown(moved(state, "offline", why, event.at), { latencyMs: null }), effects];
}

function onTrouble(state: State, event: Event & { type: "trouble" }): Step {
  const { trouble, pipelineId, pipelineType, seq } = event;
  const overSocket = hasSocket(state);
  if (trouble === "behind") {
    if (!overSocket || state.lags.has(pipelineId)) return [state, []];
    const lags = new Map(state.lags).set(pipelineId, { pipelineType, seq });
    return [{ ...state, lags }, [{ type: "watch_lag", pipelineId, ms: LAG_GRACE_MS }]];
  }
  if (!overSocket && trouble === "released") return [state, []];
  if (!overSocket) return [state, state.polling ? [{ type: "poll_from_start" }] : []];
  const withCursor = trouble === "gap" || trouble === "released";
  return [state, [{ type: "resubscribe", pipelineType, pipelineId, withCursor }]];
}

/** Events may have been on their way; only a lag that lasts is a loss. */
function onLagDue(state: State, pipelineId: string, seq: number | null): Step {
  const lag = state.lags.get(pipelineId);
  if (!lag) return [state, []];
  const lags = new Map(state.lags);
  lags.delete(pipelineId);
  const { pipelineType } = lag;
  return [
    { ...state, lags },
    seq === lag.seq ? [{ type: "resubscribe", pipelineType, pipelineId, withCursor: true }] : [],
  ];
}

function onTimer(state: State, name: TimerName, at: number): Step {
  if (name === "retry") return prepareSocket(state);
  if (name === "renew") return [state, state.socket === "live" ? [{ type: "renew_session" }] : []];
  return state.socket === "live" || state.polling ? [state, []] : poll(state, reason("socket_slow"), at);
}

function hasSocket({ socket }: State): boolean {
  return socket === "opening" || socket === "live";
}

function chain([state, effects]: Step, ...steps: ((state: State) => Step)[]): Step {
  let current = state;
  const all = [...effects];
  for (const step of steps) {
    const [next, more] = step(current);
    current = next;
    all.push(...more);
  }
  return [current, all];
}

function shown(state: State, change: Partial<Connection>): State {
  return { ...state, connection: { ...state.connection, ...change } };
}

function moved(state: State, to: Connection["state"], why: Reason, at: number): State {
  const since = to === state.connection.state && state.connection.since !== 0 ? state.connection.since : at;
  return shown(state, { state: to, since, reason: why });
}
