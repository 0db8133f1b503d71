import type { Throughput } from "@/contract/types";
import type { PipelineState } from "@/realtime/pipeline-state";

const MINUTE_MS = 60_000;
const SHOWN_MINUTES = 30;
const JUDGED_MINUTES = 5;
const FEWEST_JUDGED = 5;

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

/** How long the queue will take at the pace of the last minutes; null when there is no pace yet. */
export function secondsLeft(state: PipelineState, minutes: Minute[], now: number): number | null {
  const waiting = state.counts.queued + state.counts.processing;
  const judged = minutes.slice(-JUDGED_MINUTES);
  const first = judged.find(({ completed }) => completed > 0);
  const done = judged.reduce((sum, { completed, failed }) => sum + completed + failed, 0);
  if (waiting === 0 || !first || done < FEWEST_JUDGED) return null;
  return (waiting / done) * Math.max(10, (now - first.start) / 1_000);
}

export function throughputPath(pipelineId: string): string {
  return `/api/pipelines/${encodeURIComponent(pipelineId)}/throughput`;
}
