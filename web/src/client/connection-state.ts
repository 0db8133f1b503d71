import { NOT_STARTED, type Connection, type Reason, type SessionFacts } from "./connection";
import { TIMING, type Timing } from "./timing";
import type { Activity } from "./transports";
import type { Trouble } from "./verification";

/** How far the WebSocket has come; `preparing` asks for the session and whether the server is up. */
export type SocketPhase = "closed" | "preparing" | "opening" | "live";

export type TimerName = "fallback" | "retry" | "renew" | "stale";

/** The connection's whole state. Immutable; `transition` returns the next one. */
export interface State {
  readonly timing: Timing;
  readonly started: boolean;
  readonly socket: SocketPhase;
  /** Why the client polls; null while it does not. */
  readonly polling: Reason | null;
  /** WebSocket attempts since it was last live. */
  readonly attempt: number;
  readonly wasLive: boolean;
  /** The last poll answer said that the status server is not available. */
  readonly socketWasAway: boolean;
  /** Unix time in ms when the token should be renewed; null when it does not expire. */
  readonly renewAt: number | null;
  readonly activity: Activity;
  /** Pipelines that lag behind the server, with the seq reached when this was noticed. */
  readonly lags: ReadonlyMap<string, number | null>;
  readonly connection: Connection;
}

type Happening =
  | { type: "start" }
  | { type: "stop" }
  | { type: "prefer_polling"; prefer: boolean }
  | { type: "retry_now" }
  | { type: "signed_in" }
  | { type: "woke" }
  | { type: "activity"; activity: Activity }
  | { type: "session"; facts: SessionFacts; renewAt: number | null }
  | { type: "renewal_failed" }
  | { type: "prepared"; available: boolean; facts: SessionFacts; renewAt: number | null }
  | { type: "preparation_failed" }
  | { type: "denied"; code: string; message: string }
  | { type: "socket_connected" }
  | { type: "socket_live" }
  | { type: "socket_confirmed"; completeAt: number }
  | { type: "socket_down"; reason: Reason; retryAfterMs: number }
  | { type: "socket_draining"; retryInMs: number }
  | { type: "socket_latency"; ms: number }
  | { type: "token_expiring" }
  | { type: "polled"; websocketAvailable: boolean | null; completeAt: number | null }
  | { type: "poll_failed"; unreachable: boolean; message: string; failures: number }
  | { type: "poll_latency"; ms: number }
  | { type: "trouble"; trouble: Trouble; pipelineId: string; seq: number | null }
  | { type: "timer"; name: TimerName }
  | { type: "lag_due"; pipelineId: string; seq: number | null };

/**
 * What happened, and when: `at` is Unix time in ms, `clock` the page's own clock in ms. `random` in [0, 1)
 * spreads retries. `completeAt` is null for an answer that does not say how far it reaches.
 */
export type Event = Happening & { readonly at: number; readonly clock: number; readonly random: number };
export type EventType = Happening["type"];

/** What the runner must do. */
export type Effect =
  | { type: "prepare_socket" | "open_socket" | "close_socket" }
  | { type: "start_polling" | "stop_polling" | "poll_now" | "poll_from_start" }
  | { type: "load_session" | "forget_session" | "refresh_session" | "renew_session" | "forget_data" }
  | { type: "set_timer"; name: TimerName; ms: number }
  | { type: "clear_timer"; name: TimerName }
  | { type: "watch_lag"; pipelineId: string; ms: number }
  | { type: "forget_lags" }
  | { type: "flush_store" }
  | { type: "probe_socket"; timeoutMs: number }
  | { type: "tell_activity"; activity: Activity }
  | { type: "resubscribe"; pipelineId: string; withCursor: boolean };

export function initialState(preferPolling: boolean, timing = TIMING): State {
  return {
    timing,
    started: false,
    socket: "closed",
    polling: null,
    attempt: 0,
    wasLive: false,
    socketWasAway: false,
    renewAt: null,
    activity: "active",
    lags: new Map(),
    connection: { ...NOT_STARTED, preferPolling },
  };
}
