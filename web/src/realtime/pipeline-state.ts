import type { Counts, Event, FileRow, PipelineStatus, ProcessingEntry, Stage } from "@/contract/types";
import { isDurable, type DurableEvent } from "./log-position";

/** A file as the events tell it; shaped as a row of the registry, so that the two can be merged. */
export interface LiveFile extends Omit<FileRow, "first_seen_at"> {
  first_seen_at: string | null;
}

export type PipelineFacts = Omit<
  PipelineStatus,
  "files_processing" | "files_completed" | "files_failed" | "counts" | "cursor" | "digest"
>;

/** One pipeline. Immutable: a change makes a new object that shares what did not change. */
export interface PipelineState {
  readonly id: string;
  readonly type: string;
  readonly facts: PipelineFacts;
  readonly counts: Counts;
  /** The counts hold after this seq; events up to it are in them already. */
  readonly countsAt: number;
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
  /** Grows with every snapshot that replaced the state: what was fetched before is out of date. */
  readonly generation: number;
}

export const STAGES: readonly Stage[] = ["extraction", "chunking", "embedding", "storing"];
const KEPT_EVENTS = 500;
const KEPT_FILES = 3000;
const KEPT_MINUTES = 31;
const RECENTLY_COMPLETED = 10;
const RECENTLY_FAILED = 5;

export type Files = Map<string, LiveFile>;

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

/** What every file of a snapshot looks like. */
export function filesOf(snapshot: PipelineStatus): Files {
  const files: Files = new Map();
  for (const entry of [...snapshot.files_completed].reverse())
    files.set(entry.id, {
      ...blank(entry),
      state: "completed",
      results: entry.results,
      attempt: entry.attempt,
      finished_at: entry.completed_at,
      updated_at: entry.completed_at,
    });
  for (const entry of [...snapshot.files_failed].reverse())
    files.set(entry.id, {
      ...blank(entry),
      state: entry.error.next_attempt_at ? "queued" : "failed",
      error: entry.error,
      attempt: entry.attempt,
      finished_at: entry.failed_at,
      updated_at: entry.failed_at,
      next_attempt_at: entry.error.next_attempt_at ?? null,
    });
  for (const entry of snapshot.files_processing) files.set(entry.id, processingFile(entry));
  return files;
}

function processingFile(entry: ProcessingEntry): LiveFile {
  return {
    ...blank(entry),
    state: "processing",
    processing_stage: entry.processing_stage,
    progress: entry.progress,
    attempt: entry.attempt,
    standing: entry.standing ?? "processing",
    moved_at: entry.moved_at ?? null,
    started_at: entry.started_at,
    updated_at: entry.started_at,
  };
}

interface DescribedFile {
  id: string;
  name: string;
  size?: number | null;
  mime_type?: string | null;
  folder?: string | null;
  url?: string | null;
  started_at?: string | null;
}

function blank(file: DescribedFile, before?: LiveFile): LiveFile {
  return {
    id: file.id,
    name: file.name,
    folder: file.folder ?? before?.folder ?? "",
    url: file.url ?? before?.url ?? null,
    mime_type: file.mime_type ?? before?.mime_type ?? null,
    size: file.size ?? before?.size ?? null,
    state: "queued",
    standing: "queued",
    moved_at: null,
    processing_stage: null,
    progress: null,
    attempt: before?.attempt ?? 0,
    results: null,
    error: null,
    reason: null,
    first_seen_at: before?.first_seen_at ?? null,
    started_at: file.started_at ?? before?.started_at ?? null,
    finished_at: null,
    updated_at: before?.updated_at ?? "",
    next_attempt_at: null,
  };
}

/** The file after a durable event about it; undefined when the event is about no file. */
function fileAfter(event: DurableEvent, before: LiveFile | undefined): LiveFile | undefined {
  const at = event.timestamp;
  switch (event.type) {
    case "file:processing":
      return {
        ...blank(event.file, before),
        state: "processing",
        processing_stage: event.processing_stage,
        progress: 0,
        attempt: event.attempt,
        updated_at: at,
      };
    case "file:completed":
      return {
        ...blank(event.file, before),
        state: "completed",
        results: event.results,
        attempt: event.attempt,
        finished_at: event.file.completed_at,
        updated_at: at,
      };
    case "file:failed":
      return {
        ...blank(event.file, before),
        state: event.error.next_attempt_at ? "queued" : "failed",
        error: event.error,
        attempt: event.attempt,
        finished_at: event.file.failed_at,
        updated_at: at,
        next_attempt_at: event.error.next_attempt_at ?? null,
      };
    case "file:skipped":
      return {
        ...blank(event.file, before),
        state: "skipped",
        reason: event.reason,
        attempt: event.attempt ?? before?.attempt ?? 0,
        finished_at: event.file.skipped_at,
        updated_at: at,
      };
    case "file:deleted":
      return { ...blank(event.file, before), state: "deleted", updated_at: at };
    default:
      return undefined;
  }
}

function factsAfter(event: DurableEvent, facts: PipelineFacts): PipelineFacts {
  const last_activity = event.timestamp;
  switch (event.type) {
    case "pipeline:online":
      return {
        ...facts,
        status: "online",
        started_at: event.started_at,
        check_interval: event.check_interval,
        watch_location: event.watch_location,
        last_heartbeat: event.timestamp,
        last_activity,
      };
    case "pipeline:offline":
      return { ...facts, status: "offline", is_checking: false, last_activity };
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

/** Applies one durable event; `files` is changed in place, its values never are. */
export function applyDurable(state: PipelineState, files: Files, event: DurableEvent): PipelineState {
  const facts = factsAfter(event, state.facts);
  if (event.type === "status:update") applyStandings(files, event.current_status);
  if (event.type === "status:update")
    return { ...state, facts, counts: event.current_status.counts, countsAt: event.seq };
  if (!("file" in event)) return { ...state, facts };
  const before = files.get(event.file.id);
  const after = fileAfter(event, before);
  if (!after) return { ...state, facts };
  files.delete(after.id);
  files.set(after.id, after);
  forgetOldest(files);
  const counted = event.seq > state.countsAt;
  return {
    ...state,
    facts,
    counts: counted ? countsAfter(state.counts, before, after) : state.counts,
    processing: withMembership(state.processing, after.id, after.state === "processing"),
    completed: withRecent(state.completed, after.id, after.state === "completed", RECENTLY_COMPLETED),
    failed: withRecent(state.failed, after.id, event.type === "file:failed", RECENTLY_FAILED),
    minutes: withMinute(state.minutes, event),
  };
}

export function guessBefore(file: LiveFile): FileRow["state"] {
  return file.state === "processing" ? "queued" : file.state === "deleted" ? "completed" : "processing";
}

function countsAfter(counts: Counts, before: LiveFile | undefined, after: LiveFile): Counts {
  const next = moveCount(counts, before?.state ?? guessBefore(after), after.state);
  const left = before ? waits(before) : after.state === "processing" && after.attempt > 1;
  const waiting = counts.waiting - Number(left) + Number(waits(after));
  return { ...next, waiting: Math.min(Math.max(0, waiting), next.queued) };
}

function waits(file: LiveFile): boolean {
  return file.state === "queued" && file.next_attempt_at !== null;
}

function moveCount(counts: Counts, from: FileRow["state"], to: FileRow["state"]): Counts {
  const next = { ...counts };
  if (from !== "deleted") next[from] = Math.max(0, (next[from] ?? 0) - 1);
  if (to !== "deleted") next[to] = (next[to] ?? 0) + 1;
  return next;
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

function forgetOldest(files: Files): void {
  if (files.size <= KEPT_FILES) return;
  for (const [id, file] of files) {
    if (file.state === "processing") continue;
    files.delete(id);
    return;
  }
}

export function withEvents(
  events: readonly DurableEvent[],
  more: readonly DurableEvent[],
): readonly DurableEvent[] {
  return more.length === 0 ? events : [...events, ...more].slice(-KEPT_EVENTS);
}

/** Applies the latest value of a running attempt; ignores what belongs to another one. */
export function applyProgress(files: Files, event: Extract<Event, { type: "file:progress" }>): boolean {
  const file = files.get(event.file.id);
  if (file?.state !== "processing" || file.attempt !== event.attempt) return false;
  return setProgress(files, file, event.processing_stage, event.progress);
}

/** Takes the progress of a snapshot, which lags behind what was heard live. */
export function applySnapshotProgress(files: Files, snapshot: PipelineStatus): void {
  for (const entry of snapshot.files_processing) {
    const file = files.get(entry.id);
    if (file?.state !== "processing" || file.attempt !== entry.attempt) continue;
    const order = STAGES.indexOf(entry.processing_stage) - stageIndex(file.processing_stage);
    if (order > 0 || (order === 0 && entry.progress > (file.progress ?? 0)))
      setProgress(files, file, entry.processing_stage, entry.progress);
  }
}

/** Takes over who is stuck, and who has lost its worker. */
function applyStandings(files: Files, snapshot: PipelineStatus): void {
  for (const entry of snapshot.files_processing) {
    const file = files.get(entry.id);
    if (file?.state !== "processing" || file.attempt !== entry.attempt) continue;
    const standing = entry.standing ?? "processing";
    if (file.standing !== standing)
      files.set(entry.id, { ...file, standing, moved_at: entry.moved_at ?? null });
  }
}

function setProgress(files: Files, file: LiveFile, stage: Stage, progress: number): boolean {
  if (file.processing_stage === stage && file.progress === progress) return false;
  files.set(file.id, { ...file, processing_stage: stage, progress, standing: "processing" });
  return true;
}

function stageIndex(stage: Stage | null): number {
  return stage ? STAGES.indexOf(stage) : -1;
}

export { isDurable, type DurableEvent };
