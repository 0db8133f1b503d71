import { reason } from "./connection";
import type { Effect, Event, EventType, State, TimerName } from "./connection-state";
import {
  chain,
  checkFreshness,
  dropSocket,
  hasSocket,
  moved,
  onDenied,
  onDraining,
  onLive,
  onPolled,
  onPollFailed,
  onPrepared,
  onSession,
  onSocketConfirmed,
  onSocketDown,
  onStaleTimer,
  poll,
  prepareSocket,
  retryNow,
  shown,
  stopPolling,
  type Step,
} from "./transport-rules";
import type { Activity } from "./transports";

const FALLBACK_AFTER_MS = 2_500;
const RENEWAL_RETRY_MS = 2_000;

/** Reports of a WebSocket; they are ignored when there is none any more. */
const SOCKET_EVENTS: ReadonlySet<EventType> = new Set<EventType>([
  "socket_connected",
  "socket_live",
  "socket_confirmed",
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
      return state.started ? [state, []] : begin({ ...state, started: true }, event.at);
    case "stop":
      return stop(state);
    case "prefer_polling":
      return preferPolling(state, event.prefer, event.at);
    case "retry_now":
      return signedOut(state) ? begin(state, event.at) : retryNow(state);
    case "signed_in":
      return chain([state, [{ type: "forget_session" }]], (next) =>
        signedOut(next) ? begin(next, event.at) : retryNow(next),
      );
    case "woke":
      return onWoke(state, event);
    case "denied":
      return onDenied(state, event);
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
      return onSocketDown(state, reason("socket_unavailable"), 0, event);
    case "socket_connected":
      return stopPolling(state);
    case "socket_live":
      return onLive(state, event);
    case "socket_confirmed":
      return onSocketConfirmed(state, event.completeAt, event);
    case "socket_down":
      return onSocketDown(state, event.reason, event.retryAfterMs, event);
    case "socket_draining":
      return onDraining(state, event.retryInMs, event.at);
    case "socket_latency":
      return [shown(state, { latencyMs: event.ms }), []];
    case "token_expiring":
      return [state, [{ type: "renew_session" }]];
    case "polled":
      return onPolled(state, event);
    case "poll_failed":
      return onPollFailed(state, event);
    case "poll_latency":
      return [shown(state, { latencyMs: event.ms }), []];
    case "trouble":
      return onTrouble(state, event);
    case "timer":
      return onTimer(state, event.name, event);
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

function begin(state: State, at: number): Step {
  const started = moved(state, "connecting", reason("starting"), at);
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
      { type: "clear_timer", name: "stale" },
      { type: "forget_lags" },
      { type: "close_socket" },
      { type: "stop_polling" },
    ],
  ];
}

function preferPolling(state: State, prefer: boolean, at: number): Step {
  if (prefer === state.connection.preferPolling) return [state, []];
  const chosen = shown(state, { preferPolling: prefer });
  if (signedOut(state)) return [chosen, []];
  if (!prefer) return retryNow(chosen);
  return chain(dropSocket(chosen), (next) => poll(shown(next, { retryAt: null }), reason("preferred"), at));
}

function changeActivity(state: State, activity: Activity): Step {
  if (activity === state.activity) return [state, []];
  const effects: Effect[] = [];
  if (state.socket === "opening" || state.socket === "live")
    effects.push({ type: "tell_activity", activity });
  if (activity === "active" && state.polling) effects.push({ type: "poll_now" });
  return [{ ...state, activity }, effects];
}

function onTrouble(state: State, event: Event & { type: "trouble" }): Step {
  const { trouble, pipelineId, seq } = event;
  const overSocket = hasSocket(state);
  if (trouble === "behind") {
    if (!overSocket || state.lags.has(pipelineId)) return [state, []];
    const lags = new Map(state.lags).set(pipelineId, seq);
    return [{ ...state, lags }, [{ type: "watch_lag", pipelineId, ms: state.timing.lagGraceMs }]];
  }
  if (!overSocket && trouble === "released") return [state, []];
  if (!overSocket) return [state, state.polling ? [{ type: "poll_from_start" }] : []];
  const withCursor = trouble === "gap" || trouble === "released";
  return [state, [{ type: "resubscribe", pipelineId, withCursor }]];
}

/** Events may have been on their way; only a lag that lasts is a loss. */
function onLagDue(state: State, pipelineId: string, seq: number | null): Step {
  if (!state.lags.has(pipelineId)) return [state, []];
  const lags = new Map(state.lags);
  lags.delete(pipelineId);
  const unmoved = seq === state.lags.get(pipelineId);
  return [{ ...state, lags }, unmoved ? [{ type: "resubscribe", pipelineId, withCursor: true }] : []];
}

function onWoke(state: State, event: Event): Step {
  if (signedOut(state)) return begin(state, event.at);
  return chain(checkFreshness(state, event), (next) =>
    next.socket === "live"
      ? [next, [{ type: "probe_socket", timeoutMs: next.timing.wakeProbeMs }]]
      : retryNow(next),
  );
}

function signedOut({ connection }: State): boolean {
  return connection.state === "signed_out";
}

function onTimer(state: State, name: TimerName, event: Event): Step {
  if (signedOut(state)) return [state, []];
  if (name === "retry") return prepareSocket(state);
  if (name === "stale") return onStaleTimer(state, event);
  if (name === "renew") return [state, state.socket === "live" ? [{ type: "renew_session" }] : []];
  return state.socket === "live" || state.polling
    ? [state, []]
    : poll(state, reason("socket_slow"), event.at);
}
