import type { Counts, FailureGroup, PipelineStatus, Throughput } from "@/contract/types";
import { fileAfter, forgetOldest, type Files, type LiveFile } from "./file-state";
import type { DurableEvent } from "./log-position";

export type PipelineFacts = Omit<
  PipelineStatus,
  "files_processing" | "files_completed" | "files_failed" | "counts" | "cursor" | "digest"
>;

/** One pipeline. Immutable: a change makes a new object that shares what did not change. */
export interface PipelineState {
  readonly id: string;
  readonly type: string;
  readonly facts: PipelineFacts;
  /** Whether heartbeats arrive, as a poll said; null when they are received here. */
  readonly isActive: boolean | null;
  readonly counts: Counts;
  /** Files that failed, wait or were skipped, by reason; null until the first summary. */
  readonly failures: readonly FailureGroup[] | null;
  readonly throughput: Throughput | null;
  readonly seq: number;
  readonly verifiedSeq: number;
  readonly digest: string;
  readonly cursor: string;
  readonly processing: readonly string[];
  readonly completed: readonly string[];
  readonly failed: readonly string[];
  /** Durable events since the page was opened, oldest first, bounded. */
  readonly events: readonly DurableEvent[];
  /** Finished files by minute (Unix time in minutes), bounded. */
  readonly minutes: ReadonlyMap<number, { completed: number; failed: number }>;
  /** Grows with every snapshot that replaces the state; what was fetched before is then out of date. */
  readonly generation: number;
}

const KEPT_EVENTS = 500;
const KEPT_MINUTES = 31;
const RECENTLY_COMPLETED = 10;
const RECENTLY_FAILED = 5;

export function factsOf(snapshot: PipelineStatus): PipelineFacts {
  const {
    files_processing: _processing,
    files_completed: _completed,
    files_failed: _failed,
    counts: _counts,
    cursor: _cursor,
    digest: _digest,
    ...facts
  } = snapshot;
  return facts;
}

/** What a heartbeat or an event of a file says of a pipeline that raglive does not run: that it is alive. */
export function aliveIfExternal(facts: PipelineFacts): PipelineFacts {
  if (facts.managed || facts.status === "online") return facts;
  return { ...facts, status: "online", offline_reason: undefined };
}

function factsAfter(event: DurableEvent, before: PipelineFacts): PipelineFacts {
  const last_activity = event.timestamp;
  const facts = "file" in event ? aliveIfExternal(before) : before;
  switch (event.type) {
    case "pipeline:online":
      return {
        ...facts,
        status: "online",
        offline_reason: undefined,
        started_at: event.started_at,
        check_interval: event.check_interval,
        watch_location: event.watch_location,
        last_heartbeat: event.timestamp,
        last_activity,
      };
    case "pipeline:offline":
      return { ...facts, status: "offline", offline_reason: event.reason, is_checking: false, last_activity };
    case "status:update":
      return factsOf(event.current_status);
    case "file:completed":
      return { ...facts, total_processed: facts.total_processed + 1, last_activity };
    case "file:failed":
      return event.error.next_attempt_at
        ? { ...facts, last_activity }
        : { ...facts, total_failed: facts.total_failed + 1, last_activity };
    default:
      return { ...facts, last_activity };
  }
}

/** A durable event's change of a pipeline; `before` and `after` are of the file that it is about. */
export interface Applied {
  state: PipelineState;
  before?: LiveFile;
  after?: LiveFile;
}

/** Applies one durable event; `files` is changed in place, its values never are. */
export function applyDurable(state: PipelineState, files: Files, event: DurableEvent): Applied {
  const facts = factsAfter(event, state.facts);
  if (!("file" in event)) return { state: { ...state, facts } };
  const before = files.get(event.file.id);
  const after = fileAfter(event, before);
  if (!after) return { state: { ...state, facts } };
  files.delete(after.id);
  files.set(after.id, after);
  forgetOldest(files);
  return {
    before,
    after,
    state: {
      ...state,
      facts,
      processing: withMembership(state.processing, after.id, after.state === "processing"),
      completed: withRecent(state.completed, after.id, after.state === "completed", RECENTLY_COMPLETED),
      failed: withRecent(state.failed, after.id, event.type === "file:failed", RECENTLY_FAILED),
      minutes: withMinute(state.minutes, event),
    },
  };
}

function withMembership(ids: readonly string[], id: string, member: boolean): readonly string[] {
  if (ids.includes(id) === member) return ids;
  return member ? [...ids, id] : ids.filter((other) => other !== id);
}

function withRecent(ids: readonly string[], id: string, member: boolean, limit: number): readonly string[] {
  if (member) return [id, ...ids.filter((other) => other !== id)].slice(0, limit);
  return withMembership(ids, id, false);
}

function withMinute(minutes: PipelineState["minutes"], event: DurableEvent): PipelineState["minutes"] {
  if (event.type !== "file:completed" && event.type !== "file:failed") return minutes;
  const minute = Math.floor(Date.parse(event.timestamp) / 60_000);
  const { completed, failed } = minutes.get(minute) ?? { completed: 0, failed: 0 };
  const next = new Map(minutes);
  next.set(
    minute,
    event.type === "file:completed"
      ? { completed: completed + 1, failed }
      : { completed, failed: failed + 1 },
  );
  for (const old of next.keys()) if (old <= minute - KEPT_MINUTES) next.delete(old);
  return next;
}

export function withEvents(
  events: readonly DurableEvent[],
  more: readonly DurableEvent[],
): readonly DurableEvent[] {
  return more.length === 0 ? events : [...events, ...more].slice(-KEPT_EVENTS);
}
