import { describe, expect, test } from "vitest";
import { reason } from "../connection";
import { initialState, type Effect, type Event, type EventType, type State } from "../connection-state";
import { transition } from "../transition";

const AT = 1_000_000;
const FACTS = { url: "http://status", version: "1", role: "viewer", mayOperate: true };
const CLOCK = 50_000;
const WITH = { at: AT, clock: CLOCK, random: 0.5 };

/** Applies events one after the other. */
function after(...events: Partial<Event>[]): State {
  return events.reduce<State>(
    (state, event) => transition(state, { ...WITH, ...event } as Event)[0],
    initialState(false),
  );
}

const start: Partial<Event> = { type: "start" };
const confirmed: Partial<Event> = { type: "socket_confirmed", completeAt: CLOCK - 100 };
const prepared: Partial<Event> = { type: "prepared", available: true, facts: FACTS, renewAt: AT + 60_000 };
const live: Partial<Event>[] = [
  start,
  prepared,
  { type: "socket_connected" },
  { type: "socket_live" },
  confirmed,
];
const down: Partial<Event> = { type: "socket_down", reason: reason("socket_lost"), retryAfterMs: 0 };
const polled: Partial<Event> = { type: "polled", websocketAvailable: false, completeAt: CLOCK - 200 };
const tooLate: Partial<Event> = { type: "timer", name: "stale", clock: CLOCK + 8_000 };
const failed: Partial<Event> = {
  type: "poll_failed",
  unreachable: true,
  message: "No.",
  failures: 2,
};

const denied: Partial<Event> = { type: "denied", code: "token_revoked", message: "Revoked." };

/** Every phase that a connection can be in. */
const STATES = {
  stopped: initialState(false),
  preparing: after(start),
  opening: after(start, prepared),
  live: after(...live),
  polling: after(...live, down, polled),
  offline: after(...live, down, failed),
  preferred: after({ type: "prefer_polling", prefer: true }, start, polled),
  stale: after(...live, tooLate),
  signedOut: after(...live, down, polled, denied),
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
  preparation_failed: { type: "preparation_failed" },
  denied,
  socket_connected: { type: "socket_connected" },
  socket_live: { type: "socket_live" },
  socket_confirmed: confirmed,
  "socket_confirmed behind": { type: "socket_confirmed", completeAt: CLOCK - 6_000 },
  socket_down: down,
  socket_draining: { type: "socket_draining", retryInMs: 700 },
  socket_latency: { type: "socket_latency", ms: 3 },
  token_expiring: { type: "token_expiring" },
  "polled away": polled,
  "polled back": { ...polled, websocketAvailable: true },
  "polled unchanged": { ...polled, websocketAvailable: null },
  "polled not to the end": { ...polled, websocketAvailable: null, completeAt: null },
  "poll_failed once": { ...failed, failures: 1 },
  "poll_failed twice": failed,
  poll_latency: { type: "poll_latency", ms: 9 },
  "trouble gap": { type: "trouble", trouble: "gap", pipelineId: "p", seq: 4 },
  "trouble digest": { type: "trouble", trouble: "digest", pipelineId: "p", seq: 4 },
  "trouble released": {
    type: "trouble",
    trouble: "released",
    pipelineId: "p",
    seq: 4,
  },
  "trouble behind": { type: "trouble", trouble: "behind", pipelineId: "p", seq: 4 },
  "timer fallback": { type: "timer", name: "fallback" },
  "timer retry": { type: "timer", name: "retry" },
  "timer renew": { type: "timer", name: "renew" },
  "timer stale": tooLate,
  "timer stale early": { type: "timer", name: "stale" },
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

const BEGIN = "set_timer fallback 2500, prepare_socket";
const RETRY = "poll_now, clear_timer retry, prepare_socket";
const SIGN_OUT = "clear_timer fallback, clear_timer stale, forget_session, forget_data";
const DROP = "close_socket, clear_timer renew, clear_timer retry, forget_lags, flush_store";
const STOP =
  "clear_timer fallback, clear_timer retry, clear_timer renew, clear_timer stale, forget_lags, close_socket, stop_polling";

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
    stale: `stopped, ${STOP}`,
    signedOut: `stopped, ${STOP}`,
  },
  "prefer_polling on": {
    preparing: `connecting/closed/preferred, ${DROP}, clear_timer fallback, start_polling`,
    opening: `connecting/closed/preferred, ${DROP}, clear_timer fallback, start_polling`,
    live: `polling/closed/preferred, ${DROP}, clear_timer fallback, start_polling`,
    polling: `polling/closed/preferred, ${DROP}, clear_timer fallback`,
    offline: `offline/closed/preferred, ${DROP}, clear_timer fallback`,
    stale: `stale/closed/preferred, ${DROP}, clear_timer fallback, start_polling`,
  },
  "prefer_polling off": {
    preferred: "polling/preparing/preferred, poll_now, clear_timer retry, prepare_socket",
  },
  retry_now: {
    polling: "polling/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
    offline: "offline/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
    preferred: "poll_now",
    signedOut: `connecting/preparing/-, ${BEGIN}`,
  },
  signed_in: {
    stopped: "forget_session",
    preparing: "forget_session",
    opening: "forget_session",
    live: "forget_session",
    polling: "polling/preparing/socket_lost, forget_session, poll_now, clear_timer retry, prepare_socket",
    offline: "offline/preparing/socket_lost, forget_session, poll_now, clear_timer retry, prepare_socket",
    preferred: "forget_session, poll_now",
    stale: "forget_session",
    signedOut: `connecting/preparing/-, forget_session, ${BEGIN}`,
  },
  woke: {
    live: "probe_socket 1500",
    polling: "polling/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
    offline: "offline/preparing/socket_lost, poll_now, clear_timer retry, prepare_socket",
    preferred: "poll_now",
    stale: "probe_socket 1500",
    signedOut: `connecting/preparing/-, ${BEGIN}`,
  },
  "activity idle": { opening: "tell_activity idle", live: "tell_activity idle", stale: "tell_activity idle" },
  session: { live: "set_timer renew 60000", stale: "set_timer renew 60000" },
  renewal_failed: {
    opening: "set_timer renew 2000",
    live: "set_timer renew 2000",
    stale: "set_timer renew 2000",
  },
  prepared: { preparing: "connecting/opening/-, open_socket" },
  "prepared unavailable": {
    preparing: `connecting/closed/socket_unavailable, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
  },
  preparation_failed: {
    preparing: `connecting/closed/socket_unavailable, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
  },
  denied: {
    preparing: `signed_out/closed/-, ${DROP}, ${SIGN_OUT}`,
    opening: `signed_out/closed/-, ${DROP}, ${SIGN_OUT}`,
    live: `signed_out/closed/-, ${DROP}, ${SIGN_OUT}`,
    polling: `signed_out/closed/-, ${DROP}, stop_polling, ${SIGN_OUT}`,
    offline: `signed_out/closed/-, ${DROP}, stop_polling, ${SIGN_OUT}`,
    preferred: `signed_out/closed/-, ${DROP}, stop_polling, ${SIGN_OUT}`,
    stale: `signed_out/closed/-, ${DROP}, ${SIGN_OUT}`,
    signedOut: `${DROP}, ${SIGN_OUT}`,
  },
  socket_connected: {},
  socket_live: {
    opening:
      "connecting/live/-, clear_timer fallback, tell_activity active, set_timer stale 8000, set_timer renew 60000",
  },
  socket_confirmed: {
    opening: "set_timer stale 7900",
    live: "set_timer stale 7900",
    stale: "live/live/-, set_timer stale 7900",
  },
  "socket_confirmed behind": {
    opening: `connecting/closed/socket_behind, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
    live: `polling/closed/socket_behind, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
    stale: `stale/closed/socket_behind, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
  },
  socket_down: {
    opening: `connecting/closed/socket_lost, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
    live: `polling/closed/socket_lost, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
    stale: `stale/closed/socket_lost, ${DROP}, clear_timer fallback, start_polling, set_timer retry 750`,
  },
  socket_draining: {
    opening: `connecting/closed/server_draining, ${DROP}, clear_timer fallback, start_polling, set_timer retry 700`,
    live: `polling/closed/server_draining, ${DROP}, clear_timer fallback, start_polling, set_timer retry 700`,
    stale: `stale/closed/server_draining, ${DROP}, clear_timer fallback, start_polling, set_timer retry 700`,
  },
  socket_latency: {},
  token_expiring: { opening: "renew_session", live: "renew_session", stale: "renew_session" },
  "polled away": {
    polling: "set_timer stale 7900",
    offline: `polling/preparing/socket_lost, set_timer stale 7900, ${RETRY}`,
    preferred: "set_timer stale 7800",
  },
  "polled back": {
    polling: "set_timer stale 7900, set_timer retry 250",
    offline: `polling/preparing/socket_lost, set_timer stale 7900, ${RETRY}`,
    preferred: "set_timer stale 7800",
  },
  "polled unchanged": {
    polling: "set_timer stale 7900",
    offline: `polling/preparing/socket_lost, set_timer stale 7900, ${RETRY}`,
    preferred: "set_timer stale 7800",
  },
  "polled not to the end": { offline: `polling/preparing/socket_lost, ${RETRY}` },
  "poll_failed once": {},
  "poll_failed twice": { polling: "offline/closed/socket_lost", preferred: "offline/closed/preferred" },
  poll_latency: {},
  "trouble gap": {
    opening: "resubscribe p true",
    stale: "resubscribe p true",
    live: "resubscribe p true",
    polling: "poll_from_start",
    offline: "poll_from_start",
    preferred: "poll_from_start",
  },
  "trouble digest": {
    opening: "resubscribe p false",
    stale: "resubscribe p false",
    live: "resubscribe p false",
    polling: "poll_from_start",
    offline: "poll_from_start",
    preferred: "poll_from_start",
  },
  "trouble released": {
    opening: "resubscribe p true",
    live: "resubscribe p true",
    stale: "resubscribe p true",
  },
  "trouble behind": { opening: "watch_lag p 2000", live: "watch_lag p 2000", stale: "watch_lag p 2000" },
  "timer fallback": {
    preparing: "connecting/preparing/socket_slow, clear_timer fallback, start_polling",
    opening: "connecting/opening/socket_slow, clear_timer fallback, start_polling",
  },
  "timer retry": {
    polling: "polling/preparing/socket_lost, prepare_socket",
    offline: "offline/preparing/socket_lost, prepare_socket",
  },
  "timer renew": { live: "renew_session", stale: "renew_session" },
  "timer stale": {
    live: "stale/live/-",
    polling: "stale/closed/socket_lost",
    preferred: "stale/closed/preferred",
  },
  "timer stale early": {
    live: "set_timer stale 7900",
    polling: "set_timer stale 7900",
    offline: "set_timer stale 7900",
    preferred: "set_timer stale 7800",
    stale: "set_timer stale 7900",
  },
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
    socket_confirmed: true,
    denied: true,
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
  const behind = { type: "trouble", trouble: "behind", pipelineId: "p", seq: 4 } as const;
  const lagging = after(...live, behind);

  test("is watched once", () => {
    expect(outcome(lagging, behind)).toBe("");
  });

  test("is asked for when it has not moved", () => {
    expect(outcome(lagging, { type: "lag_due", pipelineId: "p", seq: 4 })).toBe("resubscribe p true");
    expect(outcome(lagging, { type: "lag_due", pipelineId: "p", seq: 5 })).toBe("");
  });

  test("is forgotten with the connection", () => {
    expect(after(...live, behind, down).lags.size).toBe(0);
  });
});

describe("freshness", () => {
  test("is the age of the last confirmation, whatever is heard meanwhile", () => {
    const latency = { type: "socket_latency", ms: 3, clock: CLOCK + 7_000 } as const;
    const answered = { ...polled, completeAt: null, clock: CLOCK + 7_000 } as Partial<Event>;
    expect(after(...live, latency, tooLate).connection.state).toBe("stale");
    expect(after(...live, down, answered, tooLate).connection.state).toBe("stale");
  });

  test("never goes back", () => {
    const older = { type: "socket_confirmed", completeAt: CLOCK - 4_000 } as const;
    expect(after(...live, older).connection.completeAt).toBe(CLOCK - 100);
  });

  test("returns with a confirmation, over either transport", () => {
    const again = { type: "socket_confirmed", clock: CLOCK + 9_000, completeAt: CLOCK + 8_990 } as const;
    expect(after(...live, tooLate, again).connection.state).toBe("live");
    const answer = { ...polled, clock: CLOCK + 9_000, completeAt: CLOCK + 8_990 } as Partial<Event>;
    expect(after(...live, tooLate, down, answer).connection.state).toBe("polling");
  });

  test("is checked when the page wakes up", () => {
    expect(after(...live, { type: "woke", clock: CLOCK + 60_000 }).connection.state).toBe("stale");
  });

  test("of an answer that is late itself does not count", () => {
    const late = { ...polled, clock: CLOCK + 60_000, completeAt: CLOCK + 20_000 } as Partial<Event>;
    expect(after(...live, down, failed, late).connection.state).toBe("stale");
  });
});

describe("a viewer without rights", () => {
  test.each([
    ["unauthenticated", "unauthorized"],
    ["token_expired", "access_ended"],
    ["token_revoked", "access_ended"],
    ["forbidden", "forbidden"],
  ])("%s is told as %s, with the server's reason", (code, told) => {
    const { connection } = after(...live, { type: "denied", code, message: "Because." });
    expect(connection).toMatchObject({ state: "signed_out", reason: { code: told }, completeAt: null });
    expect(connection.reason.message).toContain("Because.");
  });
});
