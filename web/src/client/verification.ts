import type { SubscribedPipeline } from "@/contract/types";
import { formatPosition, parsePosition } from "./cursor";
import { LogPosition, type DurableEvent } from "./log-position";

/**
 * Why a pipeline must be asked for again. A gap is filled from the cursor; `released` means that files
 * returned to the queue without an event, which the acknowledgement's snapshot tells.
 */
export type Trouble = "gap" | "behind" | "released" | "digest" | "other-epoch" | "unknown";

/** What was received of one pipeline, over all snapshots and epochs. */
export interface PipelineAudit {
  seq: number;
  digest: string;
  cursor: string;
  baseline: number;
  verified: number;
  applied: number;
  duplicates: number;
  gaps: number;
  resyncs: number;
}

/**
 * Judges what is received of one pipeline's log. Each durable event is applied exactly once and in
 * order; the rolling digest made from them is compared with every digest that the server states.
 */
export class Verification {
  private log: LogPosition;
  /** After a gap, events are dropped until the missing ones have come. */
  private recovering = false;
  private readonly totals = { applied: 0, duplicates: 0, gaps: 0, resyncs: 0 };

  constructor(epoch: string, seq: number, digest: string) {
    this.log = new LogPosition(epoch, seq, digest);
  }

  get epoch(): string {
    return this.log.epoch;
  }

  get seq(): number {
    return this.log.seq;
  }

  get verifiedSeq(): number {
    return this.log.verifiedSeq;
  }

  get digest(): string {
    return this.log.digest;
  }

  /** Whether every event that the server told of has been applied. */
  get isComplete(): boolean {
    return !this.recovering && !this.log.isAwaiting;
  }

  get position() {
    return this.log.position;
  }

  get cursor(): string {
    return formatPosition(this.log.position);
  }

  /** Continues from a snapshot, which may be of another epoch. */
  restart(epoch: string, seq: number, digest: string): void {
    this.log = new LogPosition(epoch, seq, digest);
    this.recovering = false;
    this.totals.resyncs += 1;
  }

  /** Takes a durable event; says whether it must be applied, and what is wrong. */
  take(event: DurableEvent): { apply: boolean; trouble: Trouble | null } {
    const verdict = this.log.judge(event);
    if (verdict === "duplicate") {
      this.totals.duplicates += 1;
      return { apply: false, trouble: null };
    }
    if (verdict !== "next") {
      if (this.recovering) return { apply: false, trouble: null };
      this.recovering = true;
      if (verdict === "gap") this.totals.gaps += 1;
      return { apply: false, trouble: verdict };
    }
    this.recovering = false;
    this.totals.applied += 1;
    return { apply: true, trouble: this.log.advance(event) ? null : "digest" };
  }

  /** Compares with a digest that the server states for `seq`, which may be ahead of the events. */
  compare(seq: number, digest: string): Trouble | null {
    const agrees = this.log.verify(seq, digest);
    if (!agrees) return "digest";
    return seq > this.log.seq ? "behind" : null;
  }

  /** Judges the acknowledgement of a subscription: null when the log continues, else what to do. */
  acknowledge({ cursor, digest, recovered }: SubscribedPipeline): "replace" | "digest" | null {
    const position = parsePosition(cursor);
    if (!recovered || position?.epoch !== this.log.epoch || this.log.seq < position.seq) return "replace";
    this.recovering = false;
    return this.log.verify(position.seq, digest) ? null : "digest";
  }

  /** Whether a poll answer's events join up with this log; without a cursor only an unchanged one does. */
  continues(cursor: string, sinceCursor: boolean): boolean {
    if (parsePosition(cursor)?.epoch !== this.log.epoch) return false;
    return sinceCursor || cursor === this.cursor;
  }

  audit(): PipelineAudit {
    const { seq, digest, baseline, verifiedSeq: verified } = this.log;
    return { seq, digest, cursor: this.cursor, baseline, verified, ...this.totals };
  }
}
