import type { Counts, FileState } from "@/contract/types";
import type { LiveFile } from "./file-state";

/** How one event moves a file between the counts. */
interface Move {
  seq: number;
  from: FileState;
  to: FileState;
  waiting: number;
}

const KEPT_MOVES = 5_000;
const STATES = ["queued", "processing", "completed", "failed", "skipped"] as const;

/**
 * A pipeline's counts: as the server stated them at a seq, moved on by the events after it. Files are
 * queued without an event, so only the server knows the counts exactly.
 */
export class LiveCounts {
  private current: Counts;
  private moves: Move[] = [];

  constructor(
    counts: Counts,
    private statedAt: number,
  ) {
    this.current = counts;
  }

  get counts(): Counts {
    return this.current;
  }

  /**
   * Takes the server's counts at `seq`. Events after `seq` are applied on top, so a late statement never
   * undoes them; one that is older than the last statement is ignored.
   */
  state(counts: Counts, seq: number): void {
    if (seq < this.statedAt) return;
    this.statedAt = seq;
    this.moves = this.moves.filter((move) => move.seq > seq);
    const next = this.moves.reduce(moveCount, counts);
    if (!sameCounts(next, this.current)) this.current = next;
  }

  /** Takes a durable event about a file; one that the stated counts include changes nothing. */
  apply(seq: number, before: LiveFile | undefined, after: LiveFile): void {
    if (seq <= this.statedAt) return;
    const left = before ? waits(before) : after.state === "processing" && after.attempt > 1;
    const move = {
      seq,
      from: before?.state ?? guessBefore(after),
      to: after.state,
      waiting: Number(waits(after)) - Number(left),
    };
    this.moves.push(move);
    if (this.moves.length > KEPT_MOVES) this.forgetOldest();
    this.current = moveCount(this.current, move);
  }

  /** Without the oldest moves, a statement that precedes them can no longer be moved on. */
  private forgetOldest(): void {
    const forgotten = this.moves.splice(0, this.moves.length - KEPT_MOVES / 2).at(-1);
    if (forgotten) this.statedAt = forgotten.seq;
  }
}

/** The state of a file that is known only from the event about it. */
function guessBefore(file: LiveFile): FileState {
  return file.state === "processing" ? "queued" : file.state === "deleted" ? "completed" : "processing";
}

function waits(file: LiveFile): boolean {
  return file.state === "queued" && file.next_attempt_at !== null;
}

function moveCount(counts: Counts, { from, to, waiting }: Move): Counts {
  const next = { ...counts };
  if (from !== "deleted") next[from] = Math.max(0, next[from] - 1);
  if (to !== "deleted") next[to] += 1;
  return { ...next, waiting: Math.min(Math.max(0, counts.waiting + waiting), next.queued) };
}

function sameCounts(a: Counts, b: Counts): boolean {
  return a.waiting === b.waiting && STATES.every((state) => a[state] === b[state]);
}
