/**
 * `stale`: nothing has confirmed for a while that what is shown is complete. `signed_out`: the viewer's
 * rights are missing or have ended, and nothing is requested until there are others.
 */
export type ConnectionState = "connecting" | "live" | "polling" | "stale" | "offline" | "signed_out";

/** Why the connection is as it is; shown to people and matched by tests. */
export type ReasonCode =
  | "starting"
  | "connected"
  | "preferred"
  | "socket_unavailable"
  | "socket_refused"
  | "socket_unreachable"
  | "socket_lost"
  | "socket_silent"
  | "socket_slow"
  | "socket_behind"
  | "unconfirmed"
  | "server_draining"
  | "unauthorized"
  | "access_ended"
  | "forbidden"
  | "server_unreachable"
  | "server_error";

export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}

const REASONS: Record<ReasonCode, string> = {
  starting: "Opening the connection.",
  connected: "Events arrive over a WebSocket the moment they are committed.",
  preferred: "You chose polling.",
  socket_unavailable: "The status server is not running or does not answer.",
  socket_refused: "The status server refused the connection.",
  socket_unreachable: "A WebSocket to the status server cannot be opened. Something may be blocking it.",
  socket_lost: "The connection to the status server broke.",
  socket_silent: "The status server stopped answering.",
  socket_slow: "The status server takes long to answer.",
  socket_behind: "The status server is behind the database.",
  unconfirmed: "No server has confirmed for a while that this is everything.",
  server_draining: "The status server is restarting.",
  unauthorized: "You are not signed in.",
  access_ended: "Your access has ended.",
  forbidden: "Your rights do not suffice.",
  server_unreachable: "The dashboard server cannot be reached.",
  server_error: "The dashboard server answers with errors.",
};

export function reason(code: ReasonCode, detail?: string): Reason {
  return { code, message: detail ? `${REASONS[code]} ${detail}` : REASONS[code] };
}

/** What the session answer says about this viewer and its status server. */
export interface SessionFacts {
  readonly url: string | null;
  readonly version: string | null;
  readonly role: string | null;
  readonly mayOperate: boolean;
}

/** The connection as viewers see it. */
export interface Connection extends SessionFacts {
  readonly state: ConnectionState;
  /** Unix time in ms of the last change of `state`. */
  readonly since: number;
  readonly reason: Reason;
  /** Round trip in ms, of the transport in use. */
  readonly latencyMs: number | null;
  /** What is shown was complete at this time of the page's clock, in ms; null before the first data. */
  readonly completeAt: number | null;
  /** Unix time in ms of the next WebSocket attempt; null when none is scheduled. */
  readonly retryAt: number | null;
  readonly preferPolling: boolean;
  readonly reconnects: number;
  readonly fallbacks: number;
}

/** The connection before the client starts, also what a prerendered page shows. */
export const NOT_STARTED: Connection = {
  state: "connecting",
  since: 0,
  reason: reason("starting"),
  latencyMs: null,
  completeAt: null,
  retryAt: null,
  preferPolling: false,
  reconnects: 0,
  fallbacks: 0,
  url: null,
  version: null,
  role: null,
  mayOperate: false,
};
