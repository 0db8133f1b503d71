/** Delays between retries, in ms: they double from the first to the longest. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** The client's time-outs and delays. */
export interface Timing {
  readonly socketRetry: Backoff;
  readonly pollRetry: Backoff;
  /** The longest wait of a long poll: only its answer confirms what is shown. */
  readonly longPollSeconds: number;
  /** The pause between pings over the WebSocket, and the time-out of each. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** What is shown was complete this long ago at most; older data is shown as out of date. */
  readonly staleAfterMs: number;
  /** A status server that is further behind the log is left for polling. */
  readonly behindAfterMs: number;
  /** How long events that the server announced may take to arrive. */
  readonly lagGraceMs: number;
  /** The time-out of the ping after the page wakes up. */
  readonly wakeProbeMs: number;
}

export const TIMING: Timing = {
  socketRetry: { firstMs: 1_000, longestMs: 15_000 },
  pollRetry: { firstMs: 500, longestMs: 10_000 },
  longPollSeconds: 4,
  pingIntervalMs: 3_500,
  pingTimeoutMs: 3_000,
  staleAfterMs: 8_000,
  behindAfterMs: 5_000,
  lagGraceMs: 2_000,
  wakeProbeMs: 1_500,
};

/** Exponential back-off with jitter: between half and the whole of a delay that doubles. `random` is in [0, 1). */
export function backoffMs({ firstMs, longestMs }: Backoff, attempt: number, random: number): number {
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + random * (ceiling / 2);
}
