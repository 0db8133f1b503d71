import type { Throughput } from "@/contract/types";
import type { PipelineState } from "@/realtime/pipeline-state";

const MINUTE_MS = 60_000;
const SHOWN_MINUTES = 30;

export interface Minute {
  start: number;
  completed: number;
  failed: number;
}

/** Finished files by minute for the last half hour: what was fetched, and what came since. */
export function minutesOf(state: PipelineState, fetched: Throughput | undefined, now: number): Minute[] {
  const known = new Map(
    fetched?.buckets.map((bucket) => [Math.floor(Date.parse(bucket.start) / MINUTE_MS), bucket] as const),
  );
  const last = Math.floor(now / MINUTE_MS);
  return Array.from({ length: SHOWN_MINUTES }, (_, index) => {
    const minute = last - SHOWN_MINUTES + 1 + index;
    const heard = state.minutes.get(minute);
    const asked = known.get(minute);
    return {
      start: minute * MINUTE_MS,
      completed: Math.max(heard?.completed ?? 0, asked?.completed ?? 0),
      failed: Math.max(heard?.failed ?? 0, asked?.failed ?? 0),
    };
  });
}

/** How long what is left will take, as the server measured; null when nobody can know. */
export function secondsLeft(state: PipelineState, fetched: Throughput | undefined): number | null {
  const { queued, processing, waiting } = state.counts;
  const files = Math.max(0, queued - waiting) + processing;
  const { seconds_left, files_left } = fetched?.estimate ?? {};
  if (files === 0 || !files_left || seconds_left == null || state.facts.paused) return null;
  return seconds_left * Math.min(1, files / files_left);
}
