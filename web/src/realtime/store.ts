import type { Event, PipelineStatus, RagStatus, SubscribedPipeline } from "@/contract/types";
import { composeCursor, formatPosition, parsePosition } from "./cursor";
import { isDurable, LogPosition, type DurableEvent } from "./log-position";
import {
  applyDurable,
  applyProgress,
  applySnapshotProgress,
  factsOf,
  filesOf,
  withEvents,
  type Files,
  type LiveFile,
  type PipelineState,
} from "./pipeline-state";

/** Why a pipeline must be asked for anew; `fresh` means without a cursor. */
export type Trouble = "gap" | "behind" | "digest" | "other-epoch" | "unknown";

interface Pipeline {
  state: PipelineState;
  files: Files;
  log: LogPosition;
  arrived: DurableEvent[];
  totals: Totals;
  changedSince: boolean;
  /** Events after a gap are dropped until the missing ones have come. */
  recovering: boolean;
}

/** Counters over all epochs and snapshots of a pipeline. */
interface Totals {
  applied: number;
  duplicates: number;
  gaps: number;
  resyncs: number;
}

export interface PipelineAudit extends Totals {
  seq: number;
  digest: string;
  cursor: string;
  baseline: number;
  verified: number;
}

const LONGEST_QUEUE = 5_000;

/**
 * All pipelines as this page knows them, normalised, with each durable event applied exactly once.
 * Events are taken up once per frame; listeners are told once per change of the whole.
 */
export class Store {
  onTrouble: (pipelineId: string, trouble: Trouble, pipelineType: string) => void = () => undefined;
  private readonly pipelines = new Map<string, Pipeline>();
  private readonly heardAt = new Map<string, number>();
  private ids: readonly string[] = [];
  private queue: Event[] = [];
  private scheduled = false;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly schedule: (run: () => void) => void) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  pipelineIds = (): readonly string[] => this.ids;

  pipeline(id: string): PipelineState | undefined {
    return this.pipelines.get(id)?.state;
  }

  file(pipelineId: string, fileId: string): LiveFile | undefined {
    return this.pipelines.get(pipelineId)?.files.get(fileId);
  }

  /** When this pipeline's state was last confirmed by the server (Unix time in ms). */
  freshAt(pipelineId: string): number | null {
    return this.heardAt.get(pipelineId) ?? null;
  }

  /** What has been seen, of one type of pipelines or of all; null when nothing is known. */
  cursor(pipelineType?: string): string | null {
    const known = [...this.pipelines.values()].filter(
      ({ state }) => pipelineType === undefined || state.type === pipelineType,
    );
    return composeCursor(known.map(({ log }) => log.position));
  }

  /** What has been seen of one pipeline. */
  cursorOf(pipelineId: string): string | null {
    const log = this.pipelines.get(pipelineId)?.log;
    return log ? formatPosition(log.position) : null;
  }

  /** True while a snapshot would say more than the events did: files moved, or a digest is unchecked. */
  isUnsettled(): boolean {
    return [...this.pipelines.values()].some(
      ({ state, log, changedSince }) =>
        changedSince || state.processing.length > 0 || log.verifiedSeq < log.seq,
    );
  }

  isWorking(): boolean {
    return [...this.pipelines.values()].some(({ state }) => state.processing.length > 0);
  }

  audit(): Record<string, PipelineAudit> {
    return Object.fromEntries([...this.pipelines].map(([id, { log, totals }]) => [id, auditOf(log, totals)]));
  }

  /** Takes events as they arrive; they are applied with the next frame. */
  enqueue(events: readonly Event[]): void {
    for (const event of events) this.queue.push(event);
    if (this.queue.length > LONGEST_QUEUE) this.flush();
    else if (!this.scheduled && this.queue.length > 0) {
      this.scheduled = true;
      this.schedule(() => this.flush());
    }
  }

  /** Applies what has arrived, now. */
  flush(): void {
    this.scheduled = false;
    if (this.queue.length === 0) return;
    const events = this.queue;
    this.queue = [];
    for (const event of events) this.apply(event);
    this.publish();
  }

  /** Takes the answer to a subscription; what it replayed has arrived before. */
  settle(answers: readonly SubscribedPipeline[]): void {
    this.flush();
    for (const { pipeline_id, snapshot, cursor, digest, recovered } of answers) {
      const known = this.pipelines.get(pipeline_id);
      const position = parsePosition(cursor);
      if (!known || !recovered || position?.epoch !== known.log.epoch || known.log.seq < position.seq) {
        this.replace(snapshot);
        continue;
      }
      known.recovering = false;
      if (known.log.verify(position.seq, digest)) this.reconcile(snapshot);
      else this.onTrouble(pipeline_id, "digest", known.state.type);
      this.heard(pipeline_id);
    }
    this.publish();
  }

  /**
   * Takes the answer to a poll: missed events first, then what the snapshots add to them. An answer
   * to a poll without a cursor has no missed events, and replaces what it does not confirm.
   */
  settlePoll(answer: RagStatus, sinceCursor: boolean): void {
    this.flush();
    const snapshots = answer.pipelines.map((pipeline) => pipeline.status_details);
    const fresh = new Set(
      snapshots
        .filter((snapshot) => !this.continues(snapshot, sinceCursor))
        .map((snapshot) => snapshot.pipeline_id),
    );
    for (const event of answer.events) if (!fresh.has(event.pipeline_id)) this.apply(event);
    for (const snapshot of snapshots) {
      if (fresh.has(snapshot.pipeline_id)) this.replace(snapshot);
      else this.reconcile(snapshot);
      this.heard(snapshot.pipeline_id);
    }
    this.publish();
  }

  /** Confirms that nothing has changed. */
  confirmAll(): void {
    for (const id of this.pipelines.keys()) this.heard(id);
    this.publish();
  }

  /**
   * Takes a snapshot that the server sent of its own accord. It may be ahead of events that are on
   * their way, so it never moves a known log: if they do not come, they are asked for.
   */
  takeSnapshot(snapshot: PipelineStatus): void {
    this.flush();
    const known = this.pipelines.get(snapshot.pipeline_id);
    const position = parsePosition(snapshot.cursor);
    if (!known || position?.epoch !== known.log.epoch) this.replace(snapshot);
    else {
      this.reconcile(snapshot);
      if (position.seq > known.log.seq) this.onTrouble(known.state.id, "behind", known.state.type);
    }
    this.heard(snapshot.pipeline_id);
  }

  /** Replaces what is known of a pipeline by a snapshot. */
  replace(snapshot: PipelineStatus): void {
    const position = parsePosition(snapshot.cursor);
    if (!position) return;
    const before = this.pipelines.get(snapshot.pipeline_id);
    const log = new LogPosition(position.epoch, position.seq, snapshot.digest);
    const files = filesOf(snapshot);
    const state: PipelineState = {
      id: snapshot.pipeline_id,
      type: snapshot.pipeline_type,
      facts: factsOf(snapshot),
      counts: snapshot.counts,
      countsAt: position.seq,
      seq: position.seq,
      verifiedSeq: position.seq,
      digest: snapshot.digest,
      cursor: snapshot.cursor,
      processing: snapshot.files_processing.map((file) => file.id),
      completed: snapshot.files_completed.map((file) => file.id),
      failed: snapshot.files_failed.map((file) => file.id),
      events: [],
      minutes: before?.state.minutes ?? new Map(),
      generation: (before?.state.generation ?? 0) + 1,
    };
    const totals = before
      ? { ...addUp(before), resyncs: before.totals.resyncs + 1 }
      : { applied: 0, duplicates: 0, gaps: 0, resyncs: 0 };
    this.pipelines.set(state.id, {
      state,
      files,
      log,
      arrived: [],
      totals,
      changedSince: true,
      recovering: false,
    });
    this.heard(state.id);
    this.publish();
  }

  /** Takes from a snapshot what events do not say: counts, checks, progress. Never moves back. */
  reconcile(snapshot: PipelineStatus): void {
    const known = this.pipelines.get(snapshot.pipeline_id);
    const position = parsePosition(snapshot.cursor);
    if (!known || position?.epoch !== known.log.epoch || position.seq < known.log.seq) return;
    if (!known.log.verify(position.seq, snapshot.digest)) {
      this.onTrouble(known.state.id, "digest", known.state.type);
      return;
    }
    const caughtUp = position.seq === known.log.seq;
    if (caughtUp) applySnapshotProgress(known.files, snapshot);
    known.state = {
      ...known.state,
      facts: caughtUp ? laterFacts(factsOf(snapshot), known.state.facts) : known.state.facts,
      counts: sameCounts(known.state.counts, snapshot.counts) ? known.state.counts : snapshot.counts,
      countsAt: position.seq,
    };
    if (caughtUp) known.changedSince = false;
    this.publish();
  }

  /** Forgets pipelines that are not among these. */
  retain(ids: ReadonlySet<string>): void {
    for (const id of this.pipelines.keys()) if (!ids.has(id)) this.pipelines.delete(id);
    this.publish();
  }

  private continues(snapshot: PipelineStatus, sinceCursor: boolean): boolean {
    const log = this.pipelines.get(snapshot.pipeline_id)?.log;
    if (!log || parsePosition(snapshot.cursor)?.epoch !== log.epoch) return false;
    return sinceCursor || snapshot.cursor === formatPosition(log.position);
  }

  private apply(event: Event): void {
    const pipeline = this.pipelines.get(event.pipeline_id) ?? this.begin(event);
    if (!pipeline) return;
    if (isDurable(event)) this.applyDurable(pipeline, event);
    else if (event.type === "file:progress") this.applyProgress(pipeline, event);
    else if (event.type === "heartbeat") this.applyHeartbeat(pipeline, event);
  }

  private applyDurable(pipeline: Pipeline, event: DurableEvent): void {
    const { state, log, files } = pipeline;
    const verdict = log.judge(event);
    if (verdict === "duplicate") {
      log.duplicates += 1;
      return;
    }
    if (verdict !== "next") {
      if (pipeline.recovering) return;
      pipeline.recovering = true;
      if (verdict === "gap") log.gaps += 1;
      this.onTrouble(state.id, verdict, state.type);
      return;
    }
    pipeline.recovering = false;
    const agrees = log.advance(event);
    pipeline.state = applyDurable(state, files, event);
    pipeline.arrived.push(event);
    pipeline.changedSince = true;
    this.heard(state.id);
    if (!agrees) this.onTrouble(state.id, "digest", state.type);
  }

  private applyProgress(pipeline: Pipeline, event: Extract<Event, { type: "file:progress" }>): void {
    applyProgress(pipeline.files, event);
    this.heard(pipeline.state.id);
  }

  private applyHeartbeat(pipeline: Pipeline, event: Extract<Event, { type: "heartbeat" }>): void {
    const { state, log } = pipeline;
    this.heard(state.id);
    if (event.head_seq > log.seq) this.onTrouble(state.id, "behind", state.type);
    if (!log.verify(event.head_seq, event.digest)) this.onTrouble(state.id, "digest", state.type);
    pipeline.state = {
      ...pipeline.state,
      facts: {
        ...pipeline.state.facts,
        last_heartbeat: event.timestamp,
        is_checking: event.is_checking ?? false,
        last_check_time: event.last_check_time ?? pipeline.state.facts.last_check_time,
        next_check_time: event.next_check_time ?? pipeline.state.facts.next_check_time,
      },
    };
  }

  /** A pipeline that is new to the page can be followed from its first event; otherwise it is asked for. */
  private begin(event: Event): Pipeline | null {
    const epoch = isDurable(event) && event.seq === 1 ? parsePosition(event.cursor)?.epoch : undefined;
    if (epoch === undefined) {
      this.onTrouble(event.pipeline_id, "unknown", event.pipeline_type);
      return null;
    }
    this.replace(emptyStatus(event.pipeline_id, event.pipeline_type, formatPosition({ epoch, seq: 0 })));
    return this.pipelines.get(event.pipeline_id) ?? null;
  }

  private heard(id: string): void {
    this.heardAt.set(id, Date.now());
  }

  private publish(): void {
    for (const pipeline of this.pipelines.values()) seal(pipeline);
    const ids = [...this.pipelines.keys()].sort();
    if (ids.length !== this.ids.length || ids.some((id, index) => id !== this.ids[index])) this.ids = ids;
    for (const listener of this.listeners) listener();
  }
}

/** Writes the place in the log, and what arrived, into the state that viewers read. */
function seal(pipeline: Pipeline): void {
  const { state, log, arrived } = pipeline;
  if (state.seq === log.seq && state.verifiedSeq === log.verifiedSeq && arrived.length === 0) return;
  pipeline.state = {
    ...state,
    seq: log.seq,
    verifiedSeq: log.verifiedSeq,
    digest: log.digest,
    cursor: formatPosition(log.position),
    events: withEvents(state.events, arrived),
  };
  pipeline.arrived = [];
}

function addUp({ log, totals }: Pipeline): Totals {
  return {
    applied: totals.applied + log.applied,
    duplicates: totals.duplicates + log.duplicates,
    gaps: totals.gaps + log.gaps,
    resyncs: totals.resyncs,
  };
}

function auditOf(log: LogPosition, totals: Totals): PipelineAudit {
  return {
    seq: log.seq,
    digest: log.digest,
    cursor: formatPosition(log.position),
    baseline: log.baseline,
    verified: log.verifiedSeq,
    applied: totals.applied + log.applied,
    duplicates: totals.duplicates + log.duplicates,
    gaps: totals.gaps + log.gaps,
    resyncs: totals.resyncs,
  };
}

function laterFacts(ours: PipelineState["facts"], theirs: PipelineState["facts"]): PipelineState["facts"] {
  const later = (a?: string, b?: string) => ((a ?? "") > (b ?? "") ? a : b);
  return {
    ...ours,
    last_heartbeat: later(ours.last_heartbeat, theirs.last_heartbeat),
    last_activity: later(ours.last_activity, theirs.last_activity),
  };
}

function sameCounts(a: PipelineStatus["counts"], b: PipelineStatus["counts"]): boolean {
  return (["queued", "processing", "completed", "failed", "skipped"] as const).every(
    (key) => a[key] === b[key],
  );
}

function emptyStatus(id: string, type: string, cursor: string): PipelineStatus {
  return {
    pipeline_id: id,
    pipeline_type: type,
    status: "offline",
    is_checking: false,
    files_processing: [],
    files_completed: [],
    files_failed: [],
    total_processed: 0,
    total_failed: 0,
    counts: { queued: 0, processing: 0, completed: 0, failed: 0, skipped: 0, waiting: 0 },
    cursor,
    digest: "",
  };
}
