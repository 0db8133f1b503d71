import type { Event } from "@/contract/types";
import { parsePosition, type Position } from "./cursor";
import { rollDigest } from "./digest";

/** Events with a sequence number in their pipeline's log. */
export type DurableEvent = Extract<Event, { seq: number }>;

export function isDurable(event: Event): event is DurableEvent {
  return "seq" in event && typeof event.seq === "number";
}

export type Verdict = "next" | "duplicate" | "gap" | "other-epoch";

const REMEMBERED_DIGESTS = 1024;

/** A viewer's place in one pipeline's log, with the digests of the last events. */
export class LogPosition {
  readonly baseline: number;
  verifiedSeq: number;
  private seqNow: number;
  private digestNow: string;
  private readonly digests = new Map<number, string>();
  private stated: { seq: number; digest: string } | null = null;

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

  /** Whether the server stated a digest of an event that has not come. */
  get isAwaiting(): boolean {
    return this.stated !== null;
  }

  get position(): Position {
    return { epoch: this.epoch, seq: this.seqNow };
  }

  judge(event: DurableEvent): Verdict {
    if (parsePosition(event.cursor)?.epoch !== this.epoch) return "other-epoch";
    if (event.seq <= this.seqNow) return "duplicate";
    return event.seq === this.seqNow + 1 ? "next" : "gap";
  }

  /** Takes the next event. False when a digest stated earlier for this seq disagrees. */
  advance(event: DurableEvent): boolean {
    this.digestNow = rollDigest(this.digestNow, event.id, event.seq);
    this.seqNow = event.seq;
    this.digests.set(event.seq, this.digestNow);
    this.digests.delete(event.seq - REMEMBERED_DIGESTS);
    return this.stated?.seq === event.seq ? this.verify(event.seq, this.stated.digest) : true;
  }

  /** Compares with the server's digest at `seq`, at once or when that event comes. False only for a proven disagreement. */
  verify(seq: number, digest: string): boolean {
    if (seq > this.seqNow) {
      this.stated = { seq, digest };
      return true;
    }
    this.stated = null;
    const own = this.digests.get(seq);
    if (own === undefined) return true;
    if (own !== digest) return false;
    this.verifiedSeq = Math.max(this.verifiedSeq, seq);
    return true;
  }
}
