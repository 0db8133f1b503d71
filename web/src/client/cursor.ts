/** A cursor says what a viewer has seen: `<epoch>.<16-digit seq>`, several joined by `~`. */

export const BEGINNING = "-1";
export const NOW = "now";

export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

const POSITION = /^([0-9a-z]{1,32})\.([0-9]{16})$/;

/** Reads one pipeline's cursor; null for text that is none. */
export function parsePosition(text: string): Position | null {
  const match = POSITION.exec(text);
  const seq = Number(match?.[2]);
  return match?.[1] && Number.isSafeInteger(seq) ? { epoch: match[1], seq } : null;
}

export function formatPosition({ epoch, seq }: Position): string {
  return `${epoch}.${String(seq).padStart(16, "0")}`;
}

/** Reads the positions of a cursor, none for `-1` and `now`; null for text that is no cursor. */
export function parseCursor(text: string): Position[] | null {
  if (text === BEGINNING || text === NOW) return [];
  const positions = text.split("~").map(parsePosition);
  const known = positions.filter((position) => position !== null);
  const epochs = new Set(known.map((position) => position.epoch));
  return known.length === positions.length && epochs.size === known.length ? known : null;
}

/** Joins positions, sorted by epoch; null when there are none. */
export function composeCursor(positions: Iterable<Position>): string | null {
  const byEpoch = [...positions].sort((a, b) => (a.epoch < b.epoch ? -1 : a.epoch > b.epoch ? 1 : 0));
  return byEpoch.length === 0 ? null : byEpoch.map(formatPosition).join("~");
}

/** Orders two places of one log; null when they are of different logs. */
export function comparePositions(a: Position, b: Position): number | null {
  return a.epoch === b.epoch ? a.seq - b.seq : null;
}
