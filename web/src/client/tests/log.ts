import { randomBytes, randomUUID } from "node:crypto";
import type { Event, FailureGroup, FileStanding, PipelineStatus, PipelineSummary } from "@/contract/types";
import { formatPosition, parseCursor } from "../cursor";
import { rollDigest } from "../digest";
import type { DurableEvent } from "../log-position";

type Payload = DurableEvent extends infer E ? (E extends DurableEvent ? Omit<E, Envelope> : never) : never;
type Envelope = "id" | "pipeline_id" | "pipeline_type" | "timestamp" | "seq" | "cursor";

/** A pipeline's log in memory, by the rules of the contract. */
export class Log {
  readonly events: DurableEvent[] = [];
  /** Files that were found and are not in progress yet: no event tells of them. */
  queued = 0;
  /** Files that a pause returned to the queue. */
  readonly released = new Set<string>();
  failures: FailureGroup[] = [];
  standings: FileStanding[] = [];
  epoch = randomBytes(8).toString("hex");
  digest = "";

  constructor(
    readonly id = "docs",
    readonly type = "local_files",
  ) {}

  get seq(): number {
    return this.events.length;
  }

  get cursor(): string {
    return formatPosition({ epoch: this.epoch, seq: this.seq });
  }

  append(payload: Payload): DurableEvent {
    const seq = this.seq + 1;
    const event = {
      id: randomUUID(),
      pipeline_id: this.id,
      pipeline_type: this.type,
      timestamp: new Date().toISOString(),
      seq,
      cursor: formatPosition({ epoch: this.epoch, seq }),
      ...payload,
    } as DurableEvent;
    this.digest = rollDigest(this.digest, event.id, seq);
    this.events.push(event);
    return event;
  }

  start(fileId: string, attempt = 1): DurableEvent {
    const file = { id: fileId, name: `${fileId}.pdf`, started_at: new Date().toISOString() };
    return this.append({ type: "file:processing", file, processing_stage: "extraction", attempt });
  }

  complete(fileId: string, attempt = 1): DurableEvent {
    const file = { id: fileId, name: `${fileId}.pdf`, completed_at: new Date().toISOString() };
    const results = {
      chunks_created: 3,
      embeddings_generated: 3,
      processing_duration: 0.5,
      content_length: 900,
    };
    return this.append({ type: "file:completed", file, results, success: true, attempt });
  }

  fail(fileId: string, nextAttemptAt?: string): DurableEvent {
    const file = { id: fileId, name: `${fileId}.pdf`, failed_at: new Date().toISOString() };
    const error = {
      type: "X",
      code: "broken",
      message: "It is broken.",
      retryable: nextAttemptAt !== undefined,
    };
    const later = nextAttemptAt === undefined ? {} : { next_attempt_at: nextAttemptAt };
    return this.append({
      type: "file:failed",
      file,
      error: { ...error, ...later },
      success: false,
      attempt: 1,
    });
  }

  progress(fileId: string, progress: number, attempt = 1): Event {
    return {
      id: randomUUID(),
      type: "file:progress",
      pipeline_id: this.id,
      pipeline_type: this.type,
      timestamp: new Date().toISOString(),
      file: { id: fileId, name: `${fileId}.pdf` },
      processing_stage: "embedding",
      progress,
      attempt,
    };
  }

  heartbeat(headSeq = this.seq, digest = this.digest): Event {
    return {
      id: randomUUID(),
      type: "heartbeat",
      pipeline_id: this.id,
      pipeline_type: this.type,
      timestamp: new Date().toISOString(),
      status: "alive",
      uptime: 1,
      memory_usage: 1,
      active_files: 0,
      head_seq: headSeq,
      digest,
      is_checking: false,
    };
  }

  summary(): PipelineSummary {
    const usage = { texts: 0, tokens: 0, cost: 0 };
    return {
      id: randomUUID(),
      type: "pipeline:summary",
      pipeline_id: this.id,
      pipeline_type: this.type,
      timestamp: new Date().toISOString(),
      head_seq: this.seq,
      digest: this.digest,
      counts: this.status().counts,
      failures: this.failures,
      throughput: {
        bucket_seconds: 60,
        buckets: [],
        estimate: { seconds_left: null, unknown_because: "too_few_completed", files_left: 0, stages: [] },
        usage,
        total_usage: usage,
        budget: null,
      },
      standings: this.standings,
    };
  }

  /** Starts another epoch, as after a restored database. */
  startNewEpoch(): void {
    this.epoch = randomBytes(8).toString("hex");
    this.events.length = 0;
    this.digest = "";
  }

  /** What follows a cursor; null when it is of another epoch. */
  after(cursor: string): DurableEvent[] | null {
    const position = parseCursor(cursor)?.find(({ epoch }) => epoch === this.epoch);
    return position ? this.events.slice(position.seq) : null;
  }

  status(): PipelineStatus {
    const counts = { queued: this.queued, processing: 0, completed: 0, failed: 0, skipped: 0, waiting: 0 };
    const latest = new Map<string, DurableEvent>();
    for (const event of this.events) if ("file" in event) latest.set(event.file.id, event);
    const processing: PipelineStatus["files_processing"] = [];
    const completed: PipelineStatus["files_completed"] = [];
    for (const event of latest.values()) {
      if (event.type === "file:processing" && this.released.has(event.file.id)) counts.queued += 1;
      else if (event.type === "file:processing") {
        counts.processing += 1;
        processing.push({
          ...event.file,
          processing_stage: "extraction",
          progress: 0,
          attempt: event.attempt,
        });
      } else if (event.type === "file:completed") {
        counts.completed += 1;
        completed.unshift({ ...event.file, results: event.results, attempt: event.attempt });
      } else if (event.type === "file:failed") counts[event.error.next_attempt_at ? "queued" : "failed"] += 1;
    }
    return {
      pipeline_id: this.id,
      pipeline_type: this.type,
      status: "online",
      managed: true,
      is_checking: false,
      files_processing: processing,
      files_completed: completed.slice(0, 10),
      files_failed: [],
      total_processed: counts.completed,
      total_failed: counts.failed,
      counts,
      cursor: this.cursor,
      digest: this.digest,
    };
  }
}
