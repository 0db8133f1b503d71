import type {
  Event,
  FileStanding,
  PipelineStatus,
  PipelineSummary,
  SubscribedPipeline,
} from "@/contract/types";
import { LiveCounts } from "./counts";
import { parsePosition, type Position } from "./cursor";
import {
  applyProgress,
  applySnapshotProgress,
  applyStandings,
  filesOf,
  releaseFiles,
  standingsOf,
  type Files,
  type LiveFile,
} from "./file-state";
import { isDurable, type DurableEvent } from "./log-position";
import {
  aliveIfExternal,
  applyDurable,
  factsOf,
  withEvents,
  type PipelineFacts,
  type PipelineState,
} from "./pipeline-state";
import { Verification, type PipelineAudit, type Trouble } from "./verification";

type ConflatedEvent = Exclude<Event, DurableEvent>;

/** One pipeline as it is followed: its verified log, its files and counts, and the state made of them. */
export class LivePipeline {
  state: PipelineState;
  readonly log: Verification;
  private files: Files;
  private counts: LiveCounts;
  private arrived: DurableEvent[] = [];
  private summarySeq = -1;

  constructor({ epoch, seq }: Position, snapshot: PipelineStatus) {
    this.log = new Verification(epoch, seq, snapshot.digest);
    this.files = filesOf(snapshot);
    this.counts = new LiveCounts(snapshot.counts, seq);
    this.state = stateOf(snapshot, seq, null);
  }

  file(id: string): LiveFile | undefined {
    return this.files.get(id);
  }

  allFiles(): LiveFile[] {
    return [...this.files.values()];
  }

  audit(): PipelineAudit {
    return this.log.audit();
  }

  /** Continues from a snapshot, whatever was known before. */
  restart({ epoch, seq }: Position, snapshot: PipelineStatus): void {
    this.log.restart(epoch, seq, snapshot.digest);
    this.files = filesOf(snapshot);
    this.counts = new LiveCounts(snapshot.counts, seq);
    this.state = stateOf(snapshot, seq, this.state);
    this.arrived = [];
    this.summarySeq = -1;
  }

  take(event: Event): Trouble | null {
    return isDurable(event) ? this.takeDurable(event) : this.takeConflated(event);
  }

  acknowledge(answer: SubscribedPipeline): ReturnType<Verification["acknowledge"]> {
    return this.log.acknowledge(answer);
  }

  /** Takes from a snapshot of this epoch what events do not say: counts, checks, progress. Never moves back. */
  reconcile(snapshot: PipelineStatus): Trouble | null {
    const position = parsePosition(snapshot.cursor);
    if (position?.epoch !== this.log.epoch || position.seq < this.log.seq) return null;
    const trouble = this.log.compare(position.seq, snapshot.digest);
    if (trouble === "digest") return trouble;
    this.counts.state(snapshot.counts, position.seq);
    if (trouble === "behind") return trouble;
    applySnapshotProgress(this.files, snapshot);
    this.takeProcessing(snapshot);
    this.state = { ...this.state, facts: laterFacts(factsOf(snapshot), this.state.facts), isActive: null };
    return null;
  }

  /** Takes whether heartbeats arrive: a poll repeats it only when it changes, and not every heartbeat. */
  hear(isActive: boolean): void {
    this.state = { ...this.state, isActive };
  }

  /** Writes the position, the counts and the arrived events into the state that viewers read. */
  seal(): PipelineState {
    const { state, log, counts, arrived } = this;
    const unmoved = state.seq === log.seq && state.verifiedSeq === log.verifiedSeq && arrived.length === 0;
    if (unmoved && state.counts === counts.counts) return state;
    this.arrived = [];
    this.state = {
      ...state,
      counts: counts.counts,
      seq: log.seq,
      verifiedSeq: log.verifiedSeq,
      digest: log.digest,
      cursor: log.cursor,
      events: withEvents(state.events, arrived),
    };
    return this.state;
  }

  private takeDurable(event: DurableEvent): Trouble | null {
    const { apply, trouble } = this.log.take(event);
    if (!apply) return trouble;
    const { state, before, after } = applyDurable(this.state, this.files, event);
    this.state = state;
    this.arrived.push(event);
    if (after) this.counts.apply(event.seq, before, after);
    if (event.type === "status:update") {
      this.counts.state(event.current_status.counts, event.seq);
      this.takeProcessing(event.current_status);
    }
    return trouble;
  }

  private takeConflated(event: ConflatedEvent): Trouble | null {
    if (event.type === "file:progress") {
      applyProgress(this.files, event);
      return null;
    }
    if (event.type === "pipeline:summary") this.takeSummary(event);
    else this.state = { ...this.state, facts: factsAfterHeartbeat(this.state.facts, event), isActive: null };
    return this.log.compare(event.head_seq, event.digest) ?? (this.hasReleased(event) ? "released" : null);
  }

  private takeSummary({ head_seq, counts, standings, failures, throughput }: PipelineSummary): void {
    if (head_seq < this.summarySeq) return;
    this.summarySeq = head_seq;
    this.counts.state(counts, head_seq);
    this.applyStandings(standings);
    this.state = { ...this.state, failures, throughput };
  }

  /** Fewer files are in progress than the events say: the others returned to the queue. */
  private hasReleased(event: ConflatedEvent): boolean {
    if (event.type !== "pipeline:summary" || event.head_seq !== this.log.seq) return false;
    return event.counts.processing < this.state.processing.length;
  }

  private takeProcessing(snapshot: PipelineStatus): void {
    this.state = {
      ...this.state,
      processing: releaseFiles(this.files, this.state.processing, snapshot),
    };
    this.applyStandings(standingsOf(snapshot));
  }

  private applyStandings(held: readonly FileStanding[]): void {
    applyStandings(this.files, this.state.processing, held);
  }
}

function stateOf(snapshot: PipelineStatus, seq: number, before: PipelineState | null): PipelineState {
  return {
    id: snapshot.pipeline_id,
    type: snapshot.pipeline_type,
    facts: factsOf(snapshot),
    isActive: null,
    counts: snapshot.counts,
    failures: before?.failures ?? null,
    throughput: before?.throughput ?? null,
    seq,
    verifiedSeq: seq,
    digest: snapshot.digest,
    cursor: snapshot.cursor,
    processing: snapshot.files_processing.map((file) => file.id),
    completed: snapshot.files_completed.map((file) => file.id),
    failed: snapshot.files_failed.map((file) => file.id),
    events: [],
    minutes: before?.minutes ?? new Map(),
    generation: (before?.generation ?? 0) + 1,
  };
}

function factsAfterHeartbeat(
  facts: PipelineFacts,
  event: Extract<Event, { type: "heartbeat" }>,
): PipelineFacts {
  return {
    ...aliveIfExternal(facts),
    last_heartbeat: event.timestamp,
    is_checking: event.is_checking ?? false,
    last_check_time: event.last_check_time ?? facts.last_check_time,
    next_check_time: event.next_check_time ?? facts.next_check_time,
  };
}

function laterFacts(theirs: PipelineFacts, ours: PipelineFacts): PipelineFacts {
  const later = (a?: string, b?: string) => ((a ?? "") > (b ?? "") ? a : b);
  return {
    ...theirs,
    last_heartbeat: later(theirs.last_heartbeat, ours.last_heartbeat),
    last_activity: later(theirs.last_activity, ours.last_activity),
  };
}
