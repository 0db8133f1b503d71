import type { Event } from "@/contract/types";
import { parsePosition, type Position } from "./cursor";
import { rollDigest } from "./digest";

/** Events that carry a place in their pipeline's log. */
export type DurableEvent = Extract<Event, { seq: number }>;
export type ConflatedEvent = Exclude<Event, DurableEvent>;

export function isDurable(event: Event): event is DurableEvent {
  return "seq" in event && typeof event.seq === "number";
}

export type Verdict = "next" | "duplicate" | "gap" | "other-epoch";

const REMEMBERED_DIGESTS = 1024;

/** Where a viewer stands in one pipeline's log: applies each durable event exactly once, in order. */
export class LogPosition {
  readonly baseline: number;
  applied = 0;
  duplicates = 0;
  gaps = 0;
  verifiedSeq: number;
  private seqNow: number;
  private digestNow: string;
  private readonly digests = new Map<number, string>();
  private claimed: { seq: number; digest: string } | null = null;

  constructor(
    readonly epoch: string,
    seq: number,
    digest: string,
  ) {
    this.baseline = seq;
    this.seqNow = seq;
    this.digestNow = digest;
    this.verifiedSeq = seq;
    this.digests.set(seq, digest);
  }

  get seq(): number {
    return this.seqNow;
  }

  get digest(): string {
    return this.digestNow;
  }

  get position(): Position {
    return { epoch: this.epoch, seq: this.seqNow };
  }

  judge(event: DurableEvent): Verdict {
    if (parsePosition(event.cursor)?.epoch !== this.epoch) return "other-epoch";
    if (event.seq <= this.seqNow) return "duplicate";
    return event.seq === this.seqNow + 1 ? "next" : "gap";
  }

  /** Takes the next event. Returns false when a digest claimed for this place disagrees. */
  advance(event: DurableEvent): boolean {
    this.digestNow = rollDigest(this.digestNow, event.id, event.seq);
    this.seqNow = event.seq;
    this.applied += 1;
    this.digests.set(event.seq, this.digestNow);
    this.digests.delete(event.seq - REMEMBERED_DIGESTS);
    return this.claimed?.seq === event.seq ? this.verify(event.seq, this.claimed.digest) : true;
  }

  /** Compares with what the server says of `seq`. False only for a proven disagreement. */
  verify(seq: number, digest: string): boolean {
    if (seq > this.seqNow) {
      this.claimed = { seq, digest };
      return true;
    }
    this.claimed = null;
    const own = this.digests.get(seq);
    if (own === undefined) return true;
    if (own !== digest) return false;
    this.verifiedSeq = Math.max(this.verifiedSeq, seq);
    return true;
  }
}
