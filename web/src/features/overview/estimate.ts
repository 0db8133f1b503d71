import type { PipelineState } from "@/client/pipeline-state";

const MINUTE_MS = 60_000;
const SHOWN_MINUTES = 30;

export interface Minute {
  start: number;
  completed: number;
  failed: number;
}

/** Finished files by minute for the last half hour: as the server counted them, and by the events since. */
export function minutesOf({ minutes, throughput }: PipelineState, now: number): Minute[] {
  const known = new Map(
    throughput?.buckets.map((bucket) => [Math.floor(Date.parse(bucket.start) / MINUTE_MS), bucket] as const),
  );
  const last = Math.floor(now / MINUTE_MS);
  return Array.from({ length: SHOWN_MINUTES }, (_, index) => {
    const minute = last - SHOWN_MINUTES + 1 + index;
    const heard = minutes.get(minute);
    const stated = known.get(minute);
    return {
      start: minute * MINUTE_MS,
      completed: Math.max(heard?.completed ?? 0, stated?.completed ?? 0),
      failed: Math.max(heard?.failed ?? 0, stated?.failed ?? 0),
    };
  });
}

/** How long the rest will take at the measured pace; null when it cannot be known. */
export function secondsLeft({ counts, facts, throughput }: PipelineState): number | null {
  const { queued, processing, waiting } = counts;
  const files = Math.max(0, queued - waiting) + processing;
  const { seconds_left, files_left } = throughput?.estimate ?? {};
  if (files === 0 || !files_left || seconds_left == null || facts.paused) return null;
  return seconds_left * Math.min(1, files / files_left);
}
