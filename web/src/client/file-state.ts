import type { Event, FileRow, FileStanding, PipelineStatus, ProcessingEntry, Stage } from "@/contract/types";
import type { DurableEvent } from "./log-position";

/** A file as the events tell it; shaped as a row of the registry, so that the two can be merged. */
export interface LiveFile extends Omit<FileRow, "first_seen_at"> {
  first_seen_at: string | null;
}

/** Files by id, from the one changed longest ago to the latest. */
export type Files = Map<string, LiveFile>;

const STAGES: readonly Stage[] = ["extraction", "chunking", "embedding", "storing"];
const KEPT_FILES = 3_000;

/** The files that a snapshot names. */
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
export function fileAfter(event: DurableEvent, before: LiveFile | undefined): LiveFile | undefined {
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

/** Bounds what is remembered; files in progress are never forgotten. */
export function forgetOldest(files: Files): void {
  if (files.size <= KEPT_FILES) return;
  for (const [id, file] of files) {
    if (file.state === "processing") continue;
    files.delete(id);
    return;
  }
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

/**
 * Returns files to the queue that are not in progress at a snapshot: a pipeline that pauses releases
 * them without an event. Returns the ids of those still in progress.
 */
export function releaseFiles(
  files: Files,
  processing: readonly string[],
  { files_processing, counts }: PipelineStatus,
): readonly string[] {
  const all = files_processing.length === counts.processing;
  const running = new Set(files_processing.map(({ id }) => id));
  const released = processing.filter((id) => all && !running.has(id));
  for (const id of released) {
    const file = files.get(id);
    if (file)
      files.set(id, {
        ...file,
        state: "queued",
        standing: "queued",
        processing_stage: null,
        progress: null,
        moved_at: null,
      });
  }
  return released.length === 0 ? processing : processing.filter((id) => !released.includes(id));
}

/** Marks the files that do not make progress, and clears the mark of those that do again. */
export function applyStandings(
  files: Files,
  processing: readonly string[],
  held: readonly FileStanding[],
): void {
  const standings = new Map(held.map((each) => [each.id, each]));
  for (const id of processing) {
    const file = files.get(id);
    if (file?.state !== "processing") continue;
    const { standing, moved_at } = standings.get(id) ?? {
      standing: "processing" as const,
      moved_at: file.moved_at,
    };
    if (file.standing !== standing) files.set(id, { ...file, standing, moved_at });
  }
}

/** The files of a snapshot that do not make progress. */
export function standingsOf({ files_processing }: PipelineStatus): FileStanding[] {
  return files_processing.flatMap(({ id, standing, moved_at }) =>
    standing === "stuck" || standing === "lost" ? [{ id, standing, moved_at: moved_at ?? null }] : [],
  );
}

/**
 * A file as both the registry and the events have it. A row that was fetched during an attempt is older
 * than what the events tell of that attempt; otherwise the later of the two counts. Snapshots leave out
 * some fields, which the row has.
 */
export function currentFile<F extends FileRow | LiveFile>(row: F, live: LiveFile | undefined): F | LiveFile {
  if (!live) return row;
  const duringAttempt = row.state === "processing" && row.attempt === live.attempt;
  if (!duringAttempt && Date.parse(live.updated_at) < Date.parse(row.updated_at)) return row;
  const started_at = live.started_at ?? (row.attempt === live.attempt ? row.started_at : null);
  return { ...live, folder: live.folder || row.folder, url: live.url ?? row.url, started_at };
}

function setProgress(files: Files, file: LiveFile, stage: Stage, progress: number): boolean {
  if (file.processing_stage === stage && file.progress === progress) return false;
  files.set(file.id, { ...file, processing_stage: stage, progress, standing: "processing" });
  return true;
}

function stageIndex(stage: Stage | null): number {
  return stage ? STAGES.indexOf(stage) : -1;
}
