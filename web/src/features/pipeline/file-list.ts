import { shownState } from "@/components/ui/state";
import { currentFile, type LiveFile } from "@/client/file-state";
import type { FileRow } from "@/contract/types";

export type File = FileRow | LiveFile;

/** Which files a list shows. */
export interface Filter {
  state: string;
  /** An error or skip code. */
  code: string;
  /** A part of the folder and name. */
  text: string;
}

export type Sort = "updated" | "name" | "size";

const ORDERS: Record<Sort, (a: File, b: File) => number> = {
  updated: (a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at),
  name: (a, b) => compareText(a.name.toLowerCase(), b.name.toLowerCase()),
  size: (a, b) => (b.size ?? -1) - (a.size ?? -1),
};

export function sortIn(text: string | null): Sort {
  return text !== null && text in ORDERS ? (text as Sort) : "updated";
}

/**
 * The rows of a file list: fetched ones as the events have changed them since, and the files that
 * joined. While more pages follow, a file that belongs after the last fetched row is left to them.
 */
export function currentRows(
  fetched: readonly File[],
  live: readonly LiveFile[],
  filter: Filter,
  sort: Sort,
  more: boolean,
): File[] {
  const order = ORDERS[sort];
  const rows = new Map(fetched.map((row) => [row.id, row]));
  const last = fetched.at(-1);
  const changed: File[] = [];
  for (const file of [...live].reverse()) {
    const row = rows.get(file.id);
    const current = row ? currentFile(row, file) : file;
    if (current === row || (!row && more && last && order(file, last) > 0)) continue;
    changed.push(current);
    rows.delete(file.id);
  }
  changed.sort(order);
  return mergeSorted([...rows.values()], changed, order).filter((file) => belongs(file, filter));
}

/**
 * Rows that stay in place: those shown before, then fetched ones that were added below. `unseen` counts
 * the files that would join if nothing were held.
 */
export function heldRows(
  shown: readonly File[],
  current: readonly File[],
  fetched: readonly File[],
): { rows: File[]; unseen: number } {
  const currentById = new Map(current.map((file) => [file.id, file]));
  const shownIds = new Set(shown.map(({ id }) => id));
  const fetchedIds = new Set(fetched.map(({ id }) => id));
  const joined = current.filter(({ id }) => !shownIds.has(id));
  const below = joined.filter(({ id }) => fetchedIds.has(id));
  return {
    rows: [...shown.map((file) => currentById.get(file.id) ?? file), ...below],
    unseen: joined.length - below.length,
  };
}

function belongs(file: File, { state, code, text }: Filter): boolean {
  if (state === "" ? file.state === "deleted" : !isIn(file, state)) return false;
  if (code !== "" && codeOf(file) !== code) return false;
  return `${file.folder}/${file.name}`.toLowerCase().includes(text.toLowerCase());
}

/** Queued files that wait for a retry have a filter of their own. */
function isIn(file: File, state: string): boolean {
  return state === "queued" || state === "waiting" ? shownState(file) === state : file.state === state;
}

function codeOf(file: File): string | undefined {
  return file.state === "failed" || file.state === "queued" ? file.error?.code : file.reason?.code;
}

function mergeSorted<T>(a: readonly T[], b: readonly T[], order: (a: T, b: T) => number): T[] {
  const merged: T[] = [];
  let next = 0;
  for (const item of a) {
    for (let other = b[next]; other !== undefined && order(other, item) <= 0; other = b[next]) {
      merged.push(other);
      next += 1;
    }
    merged.push(item);
  }
  return [...merged, ...b.slice(next)];
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
