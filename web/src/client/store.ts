import type { Event, PipelineStatus, RagStatus, SubscribedPipeline } from "@/contract/types";
import { composeCursor, formatPosition, parseCursor, parsePosition, type Position } from "./cursor";
import type { LiveFile } from "./file-state";
import { LivePipeline } from "./live-pipeline";
import { isDurable } from "./log-position";
import type { PipelineState } from "./pipeline-state";
import type { PipelineAudit, Trouble } from "./verification";

const LONGEST_QUEUE = 5_000;

/**
 * All pipelines as this viewer knows them. Events are applied once per frame; listeners are called
 * once per change of the whole.
 */
export class Store {
  onTrouble: (pipelineId: string, trouble: Trouble) => void = () => undefined;
  private readonly pipelines = new Map<string, LivePipeline>();
  private states: readonly PipelineState[] = [];
  private ids: readonly string[] = [];
  private queue: Event[] = [];
  private scheduled = false;
  /** Whether a poll answer left out pipelines that the next one has. */
  private isPartial = false;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly schedule: (run: () => void) => void) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  pipelineIds = (): readonly string[] => this.ids;

  /** All pipelines by id; the same array while none of them changes. */
  all = (): readonly PipelineState[] => this.states;

  pipeline(id: string): PipelineState | undefined {
    return this.pipelines.get(id)?.state;
  }

  file(pipelineId: string, fileId: string): LiveFile | undefined {
    return this.pipelines.get(pipelineId)?.file(fileId);
  }

  /** The files that events or snapshots told of, bounded. */
  files(pipelineId: string): LiveFile[] {
    return this.pipelines.get(pipelineId)?.allFiles() ?? [];
  }

  /** Whether every event that the server told of has been applied. */
  isComplete(): boolean {
    return [...this.pipelines.values()].every(({ log }) => log.isComplete);
  }

  /** The cursor of all pipelines; null when nothing is known, or not yet every pipeline. */
  cursor(): string | null {
    if (this.isPartial) return null;
    return composeCursor([...this.pipelines.values()].map(({ log }) => log.position));
  }

  cursorOf(pipelineId: string): string | null {
    return this.pipelines.get(pipelineId)?.log.cursor ?? null;
  }

  /** The last event applied to a pipeline, also before viewers are told of it. */
  seqOf(pipelineId: string): number | null {
    return this.pipelines.get(pipelineId)?.log.seq ?? null;
  }

  isWorking(): boolean {
    return this.states.some(({ processing }) => processing.length > 0);
  }

  audit(): Record<string, PipelineAudit> {
    return Object.fromEntries([...this.pipelines].map(([id, pipeline]) => [id, pipeline.audit()]));
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

  /**
   * Takes the acknowledgement of a subscription; what it replayed has arrived before. A subscription
   * to all pipelines names those that exist: the others are forgotten.
   */
  settle(answers: readonly SubscribedPipeline[], all = false): void {
    const fresh = answers.filter(({ pipeline_id }) => !this.pipelines.has(pipeline_id));
    for (const { snapshot } of fresh) this.replace(snapshot);
    this.flush();
    for (const answer of answers) {
      const known = this.pipelines.get(answer.pipeline_id);
      if (!known || fresh.includes(answer)) continue;
      const verdict = known.acknowledge(answer);
      if (verdict === "replace") this.replace(answer.snapshot);
      else this.report(known, verdict ?? known.reconcile(answer.snapshot));
    }
    if (all) {
      this.retain(answers.map(({ pipeline_id }) => pipeline_id));
      this.isPartial = false;
    }
    this.publish();
  }

  /**
   * Takes a poll answer: missed events first, then what the snapshots and summaries add. An answer to
   * a poll without a cursor has no missed events, and replaces what it does not confirm. An answer with `seen`
   * has the pipelines that have changed, as many as fit, and its cursor names those that exist.
   */
  settlePoll(
    { pipelines, events, seen, pipelines_left = 0, next_cursor }: RagStatus,
    sinceCursor: boolean,
  ): void {
    this.flush();
    this.isPartial = seen !== undefined && pipelines_left > 0;
    const replaced = new Set(
      pipelines
        .map(({ status_details }) => status_details)
        .filter(
          ({ pipeline_id, cursor }) => !this.pipelines.get(pipeline_id)?.log.continues(cursor, sinceCursor),
        )
        .map(({ pipeline_id }) => pipeline_id),
    );
    for (const event of events) if (!replaced.has(event.pipeline_id)) this.apply(event);
    for (const { status_details, summary, is_active } of pipelines) {
      const known = this.pipelines.get(status_details.pipeline_id);
      if (!known || replaced.has(status_details.pipeline_id)) this.replace(status_details);
      else this.report(known, known.reconcile(status_details));
      this.apply(summary);
      this.pipelines.get(status_details.pipeline_id)?.hear(is_active);
    }
    if (seen === undefined) this.retain(pipelines.map(({ pipeline_id }) => pipeline_id));
    else if (!this.isPartial) this.retainLogs(parseCursor(next_cursor) ?? []);
    this.publish();
  }

  /** Forgets everything: the viewer may no longer see it. */
  forget(): void {
    this.queue = [];
    this.isPartial = false;
    this.pipelines.clear();
    this.publish();
  }

  /**
   * Takes a snapshot that the server sent unasked. It may be ahead of events under way, so it never
   * moves a known log: if they do not come, they are asked for.
   */
  takeSnapshot(snapshot: PipelineStatus): void {
    this.flush();
    const known = this.pipelines.get(snapshot.pipeline_id);
    if (known && parsePosition(snapshot.cursor)?.epoch === known.log.epoch)
      this.report(known, known.reconcile(snapshot));
    else this.replace(snapshot);
    this.publish();
  }

  /** Replaces what is known of a pipeline by a snapshot. */
  replace(snapshot: PipelineStatus): void {
    const position = parsePosition(snapshot.cursor);
    if (!position) return;
    const known = this.pipelines.get(snapshot.pipeline_id);
    if (known) known.restart(position, snapshot);
    else this.pipelines.set(snapshot.pipeline_id, new LivePipeline(position, snapshot));
    this.publish();
  }

  /** Forgets a pipeline that no longer exists. */
  remove(pipelineId: string): void {
    this.flush();
    this.pipelines.delete(pipelineId);
    this.publish();
  }

  /** Forgets the pipelines that are not among `ids`. */
  private retain(ids: readonly string[]): void {
    const retained = new Set(ids);
    for (const id of this.pipelines.keys()) if (!retained.has(id)) this.pipelines.delete(id);
  }

  /** Forgets the pipelines whose logs are not among the positions. */
  private retainLogs(positions: readonly Position[]): void {
    const epochs = new Set(positions.map(({ epoch }) => epoch));
    for (const [id, { log }] of this.pipelines) if (!epochs.has(log.epoch)) this.pipelines.delete(id);
  }

  private apply(event: Event): void {
    const pipeline = this.pipelines.get(event.pipeline_id) ?? this.begin(event);
    if (!pipeline) return;
    this.report(pipeline, pipeline.take(event));
  }

  private report({ state }: LivePipeline, trouble: Trouble | null): void {
    if (trouble) this.onTrouble(state.id, trouble);
  }

  /** Follows a pipeline that is new to the page from its first event; otherwise asks for it. */
  private begin(event: Event): LivePipeline | null {
    const { pipeline_id: id, pipeline_type: type } = event;
    const epoch = isDurable(event) && event.seq === 1 ? parsePosition(event.cursor)?.epoch : undefined;
    if (epoch === undefined) {
      this.onTrouble(id, "unknown");
      return null;
    }
    this.replace(emptyStatus(id, type, formatPosition({ epoch, seq: 0 })));
    return this.pipelines.get(id) ?? null;
  }

  private publish(): void {
    const states = [...this.pipelines.values()].map((pipeline) => pipeline.seal());
    states.sort((a, b) => (a.id < b.id ? -1 : 1));
    if (!sameItems(states, this.states)) this.states = states;
    const ids = states.map(({ id }) => id);
    if (!sameItems(ids, this.ids)) this.ids = ids;
    for (const listener of this.listeners) listener();
  }
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}

function emptyStatus(id: string, type: string, cursor: string): PipelineStatus {
  return {
    pipeline_id: id,
    pipeline_type: type,
    status: "offline",
    managed: true,
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
