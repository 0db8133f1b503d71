/** Delays between retries, in ms: they double from the first to the longest. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** How long the client waits for what. */
export interface Timing {
  readonly socketRetry: Backoff;
  readonly pollRetry: Backoff;
  /** A poll that waits for events answers after this time, to say whether the status server is back. */
  readonly shortPollSeconds: number;
  /** Events that a digest announces may be on their way for so long. */
  readonly lagGraceMs: number;
  /** A WebSocket must answer within this time after the page wakes up. */
  readonly wakeProbeMs: number;
}

export const TIMING: Timing = {
  socketRetry: { firstMs: 1_000, longestMs: 15_000 },
  pollRetry: { firstMs: 500, longestMs: 10_000 },
  shortPollSeconds: 4,
  lagGraceMs: 2_000,
  wakeProbeMs: 1_500,
};

/** Exponential back-off with jitter: between half and the whole of a delay that doubles. `random` is in [0, 1). */
export function backoffMs({ firstMs, longestMs }: Backoff, attempt: number, random: number): number {
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + random * (ceiling / 2);
}
