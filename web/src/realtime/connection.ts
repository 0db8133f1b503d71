export type ConnectionState = "connecting" | "live" | "polling" | "offline";

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
  | "server_draining"
  | "unauthorized"
  | "server_unreachable"
  | "server_error"
  | "waking";

export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}

export const REASONS: Record<ReasonCode, string> = {
  starting: "Opening the connection.",
  connected: "Events arrive over a WebSocket the moment they are committed.",
  preferred: "You chose polling.",
  socket_unavailable: "The status server is not running or does not answer.",
  socket_refused: "The status server refused the connection.",
  socket_unreachable: "A WebSocket to the status server cannot be opened. Something may be blocking it.",
  socket_lost: "The connection to the status server broke.",
  socket_silent: "The status server stopped answering.",
  socket_slow: "The status server takes long to answer.",
  server_draining: "The status server is restarting.",
  unauthorized: "You are not signed in, or no longer have access.",
  server_unreachable: "The dashboard server cannot be reached.",
  server_error: "The dashboard server answers with errors.",
  waking: "Back from sleep; catching up.",
};

export function reason(code: ReasonCode, detail?: string): Reason {
  return { code, message: detail ? `${REASONS[code]} ${detail}` : REASONS[code] };
}

export interface Connection {
  readonly state: ConnectionState;
  /** Unix time in ms of the last change of `state`. */
  readonly since: number;
  readonly reason: Reason;
  /** Round trip in ms, of the transport in use. */
  readonly latencyMs: number | null;
  /** When the server was last heard from over any transport. */
  readonly heardAt: number | null;
  /** When the WebSocket is tried again; null when it is not waited for. */
  readonly retryAt: number | null;
  readonly preferPolling: boolean;
  readonly reconnects: number;
  readonly fallbacks: number;
  readonly url: string | null;
  readonly version: string | null;
  readonly role: string | null;
  readonly mayOperate: boolean;
}

/** Full jitter between half and the whole of a delay that doubles from 1 s to 15 s. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(15_000, 1_000 * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + random() * (ceiling / 2);
}
