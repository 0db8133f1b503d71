import { describe, expect, test } from "vitest";
import { reason } from "../connection";
import { initialState, type Effect, type Event, type EventType, type State } from "../connection-state";
import { transition } from "../transition";

const AT = 1_000_000;
const FACTS = { url: "http://status", version: "1", role: "viewer", mayOperate: true };
const WITH = { at: AT, random: 0.5 };

/** Applies events one after the other. */
function after(...events: Partial<Event>[]): State {
  return events.reduce<State>(
    (state, event) => transition(state, { ...WITH, ...event } as Event)[0],
    initialState(false),
  );
}

const start: Partial<Event> = { type: "start" };
const prepared: Partial<Event> = { type: "prepared", available: true, facts: FACTS, renewAt: AT + 60_000 };
const live: Partial<Event>[] = [start, prepared, { type: "socket_connected" }, { type: "socket_live" }];
const down: Partial<Event> = { type: "socket_down", reason: reason("socket_lost"), retryAfterMs: 0 };
const polled: Partial<Event> = { type: "polled", websocketAvailable: false };
const failed: Partial<Event> = {
  type: "poll_failed",
  denied: false,
  unreachable: true,
  message: "No.",
  failures: 2,
};

/** Every phase that a connection can be in. */
const STATES = {
  stopped: initialState(false),
  preparing: after(start),
  opening: after(start, prepared),
  live: after(...live),
  polling: after(...live, down, polled),
  offline: after(...live, down, failed),
  preferred: after({ type: "prefer_polling", prefer: true }, start, polled),
};

/** Every event, where it matters in its variants. */
const EVENTS: Record<string, Partial<Event>> = {
  start,
  stop: { type: "stop" },
  "prefer_polling on": { type: "prefer_polling", prefer: true },
  "prefer_polling off": { type: "prefer_polling", prefer: false },
  retry_now: { type: "retry_now" },
  signed_in: { type: "signed_in" },
  woke: { type: "woke" },
  "activity idle": { type: "activity", activity: "idle" },
  session: { type: "session", facts: FACTS, renewAt: AT + 60_000 },
  renewal_failed: { type: "renewal_failed" },
  prepared,
  "prepared unavailable": { ...prepared, available: false },
  "preparation_failed denied": { type: "preparation_failed", denied: true },
  socket_connected: { type: "socket_connected" },
  socket_live: { type: "socket_live" },
  socket_down: down,
  socket_draining: { type: "socket_draining", retryInMs: 700 },
  socket_latency: { type: "socket_latency", ms: 3 },
  token_expiring: { type: "token_expiring" },
  "polled away": polled,
  "polled back": { type: "polled", websocketAvailable: true },
  "polled unchanged": { type: "polled", websocketAvailable: null },
  "poll_failed once": { ...failed, failures: 1 },
  "poll_failed twice": failed,
  "poll_failed denied": { ...failed, denied: true },
  poll_latency: { type: "poll_latency", ms: 9 },
  "trouble gap": { type: "trouble", trouble: "gap", pipelineId: "p", pipelineType: "t", seq: 4 },
  "trouble digest": { type: "trouble", trouble: "digest", pipelineId: "p", pipelineType: "t", seq: 4 },
  "trouble released": {
    type: "trouble",
    trouble: "released",
    pipelineId: "p",
    pipelineType: "t",
    seq: 4,
  },
  "trouble behind": { type: "trouble", trouble: "behind", pipelineId: "p", pipelineType: "t", seq: 4 },
  "timer fallback": { type: "timer", name: "fallback" },
  "timer retry": { type: "timer", name: "retry" },
  "timer renew": { type: "timer", name: "renew" },
  lag_due: { type: "lag_due", pipelineId: "p", seq: 4 },
};

/** The phase after an event and what must be done; empty when neither changes. */
function outcome(before: State, event: Partial<Event>): string {
  const [state, effects] = transition(before, { ...WITH, ...event } as Event);
  const moved = phase(state) === phase(before) ? "" : phase(state);
  return [moved, ...effects.map(words)].filter(Boolean).join(", ");
}

function phase({ connection, socket, polling, started }: State): string {
  return started ? `${connection.state}/${socket}/${polling?.code ?? "-"}` : "stopped";
}

function words(effect: Effect): string {
  const { type, ...detail } = effect;
  const values = Object.values(detail).map(String);
  return values.length === 0 ? type : `${type} ${values.join(" ")}`;
}

const DROP = "close_socket, clear_timer renew, clear_timer retry, forget_lags, flush_store";
const STOP =
  "clear_timer fallback, clear_timer retry, clear_timer renew, forget_lags, close_socket, stop_polling";

/** What each event does in each phase; a phase that is left out is not changed by it. */
const TABLE: Record<string, Partial<Record<keyof typeof STATES, string>>> = {
  start: { stopped: "connecting/preparing/-, set_timer fallback 2500, prepare_socket" },
  stop: {
    preparing: `stopped, ${STOP}`,
    opening: `stopped, ${STOP}`,
    live: `stopped, ${STOP}`,
    polling: `stopped, ${STOP}`,
    offline: `stopped, ${STOP}`,
    preferred: `stopped, ${STOP}`,
  },
  "prefer_polling on": {
    preparing: `connecting/closed/preferred, ${DROP}, clear_timer fallback, start_polling`,
    opening: `connecting/closed/preferred, ${DROP}, clear_timer fallback, start_polling`,
    live: `polling/closed/preferred, ${DROP}, clear_timer fallback, start_polling`,
    polling: `polling/closed/preferred, ${DROP}, clear_timer fallback`,
    offline: `offline/closed/preferred, ${DROP}, clear_timer fallback`,
  },
  "prefer_polling off": {
    preferred: "polling/preparing/preferred, poll_now, clear_timer retry, prepare_socket",
  },
  retry_now: {
    polling: "polling/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
    offline: "offline/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
    preferred: "poll_now",
  },
  signed_in: {
    stopped: "forget_session",
    preparing: "forget_session",
    opening: "forget_session",
    live: "forget_session",
    polling: "polling/preparing/socket_lost, forget_session, poll_now, clear_timer retry, prepare_socket",
    offline: "offline/preparing/socket_lost, forget_session, poll_now, clear_timer retry, prepare_socket",
    preferred: "forget_session, poll_now",
  },
  woke: {
    live: "probe_socket 1500",
    polling: "polling/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
    offline: "offline/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
    preferred: "poll_now",
  },
  "activity idle": { opening: "tell_activity idle", live: "tell_activity idle" },
  session: { live: "set_timer renew 60000" },
  renewal_failed: { opening: "set_timer renew 2000", live: "set_timer renew 2000" },
  prepared: { preparing: "connecting/opening/-, open_socket" },
  "prepared unavailable": {
    preparing: `connecting/closed/socket_unavailable, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
  },
  "preparation_failed denied": {
    preparing: `connecting/closed/unauthorized, ${DROP}, clear_timer fallback, start_polling, refresh_session, set_timer retry 750`,
  },
  socket_connected: {},
  socket_live: { opening: "live/live/-, clear_timer fallback, tell_activity active, set_timer renew 60000" },
  socket_down: {
    opening: `connecting/closed/socket_lost, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
    live: `polling/closed/socket_lost, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
  },
  socket_draining: {
    opening: `connecting/closed/server_draining, ${DROP}, clear_timer fallback, start_polling, set_timer retry 700`,
    live: `polling/closed/server_draining, ${DROP}, clear_timer fallback, start_polling, set_timer retry 700`,
  },
  socket_latency: {},
  token_expiring: { opening: "renew_session", live: "renew_session" },
  "polled away": { offline: "polling/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket" },
  "polled back": {
    polling: "set_timer retry 250",
    offline: "polling/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
  },
  "polled unchanged": {
    offline: "polling/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
  },
  "poll_failed once": {},
  "poll_failed twice": { polling: "offline/closed/socket_lost", preferred: "offline/closed/preferred" },
  "poll_failed denied": {
    polling: "offline/closed/socket_lost, refresh_session",
    offline: "refresh_session",
    preferred: "offline/closed/preferred, refresh_session",
  },
  poll_latency: {},
  "trouble gap": {
    opening: "resubscribe t p true",
    live: "resubscribe t p true",
    polling: "poll_from_start",
    offline: "poll_from_start",
    preferred: "poll_from_start",
  },
  "trouble digest": {
    opening: "resubscribe t p false",
    live: "resubscribe t p false",
    polling: "poll_from_start",
    offline: "poll_from_start",
    preferred: "poll_from_start",
  },
  "trouble released": { opening: "resubscribe t p true", live: "resubscribe t p true" },
  "trouble behind": { opening: "watch_lag p 2000", live: "watch_lag p 2000" },
  "timer fallback": {
    preparing: "connecting/preparing/socket_slow, clear_timer fallback, start_polling",
    opening: "connecting/opening/socket_slow, clear_timer fallback, start_polling",
  },
  "timer retry": {
    polling: "polling/preparing/socket_lost, prepare_socket",
    offline: "offline/preparing/socket_lost, prepare_socket",
  },
  "timer renew": { live: "renew_session" },
  lag_due: {},
};

describe.each(Object.entries(EVENTS))("%s", (name, event) => {
  test.each(Object.entries(STATES))("while %s", (phaseName, state) => {
    expect(outcome(state, event)).toBe(TABLE[name]?.[phaseName as keyof typeof STATES] ?? "");
  });
});

test("every type of event is in the table", () => {
  const covered = new Set(Object.values(EVENTS).map(({ type }) => type));
  const all: Record<EventType, true> = {
    start: true,
    stop: true,
    prefer_polling: true,
    retry_now: true,
    signed_in: true,
    woke: true,
    activity: true,
    session: true,
    renewal_failed: true,
    prepared: true,
    preparation_failed: true,
    socket_connected: true,
    socket_live: true,
    socket_down: true,
    socket_draining: true,
    socket_latency: true,
    token_expiring: true,
    polled: true,
    poll_failed: true,
    poll_latency: true,
    trouble: true,
    timer: true,
    lag_due: true,
  };
  expect([...covered].sort()).toEqual(Object.keys(all).sort());
});

describe("what viewers see", () => {
  test("counts reconnects and fallbacks, and since when", () => {
    const first = after(...live);
    expect(first.connection).toMatchObject({
      state: "live",
      since: AT,
      reconnects: 0,
      fallbacks: 0,
      ...FACTS,
    });
    const again = after(
      ...live,
      { ...down, at: AT + 5 },
      polled,
      { type: "timer", name: "retry" },
      prepared,
      {
        type: "socket_live",
        at: AT + 9,
      },
    );
    expect(again.connection).toMatchObject({ state: "live", since: AT + 9, reconnects: 1, fallbacks: 1 });
  });

  test("says when the WebSocket is tried again, later after each failure", () => {
    const fail = [{ type: "timer", name: "retry" } as Partial<Event>, prepared, down];
    const delays = [1, 2, 3, 4, 5, 6].map((failures) => {
      const state = after(...live, down, ...Array.from({ length: failures - 1 }, () => fail).flat());
      return (state.connection.retryAt ?? 0) - AT;
    });
    expect(delays).toEqual([750, 1_500, 3_000, 6_000, 11_250, 11_250]);
  });

  test("heeds how long the server asks to wait", () => {
    const state = after(...live, { ...down, retryAfterMs: 30_000 });
    expect(state.connection.retryAt).toBe(AT + 30_000);
  });
});

describe("a pipeline that lags", () => {
  const behind = { type: "trouble", trouble: "behind", pipelineId: "p", pipelineType: "t", seq: 4 } as const;
  const lagging = after(...live, behind);

  test("is watched once", () => {
    expect(outcome(lagging, behind)).toBe("");
  });

  test("is asked for when it has not moved", () => {
    expect(outcome(lagging, { type: "lag_due", pipelineId: "p", seq: 4 })).toBe("resubscribe t p true");
    expect(outcome(lagging, { type: "lag_due", pipelineId: "p", seq: 5 })).toBe("");
  });

  test("is forgotten with the connection", () => {
    expect(after(...live, behind, down).lags.size).toBe(0);
  });
});
