import { describe, expect, test } from "vitest";
import type { FileRow } from "@/contract/types";
import { currentRows, heldRows, type Filter } from "../file-list";

const EVERYTHING: Filter = { state: "", code: "", text: "" };

function row(id: string, minute: number, change: Partial<FileRow> = {}): FileRow {
  return {
    id,
    name: `${id}.pdf`,
    folder: "",
    url: null,
    mime_type: null,
    size: 10,
    state: "completed",
    standing: "completed",
    processing_stage: null,
    progress: null,
    attempt: 1,
    results: null,
    error: null,
    reason: null,
    first_seen_at: "2026-01-01T00:00:00Z",
    started_at: null,
    finished_at: null,
    updated_at: `2026-01-01T00:${String(minute).padStart(2, "0")}:00Z`,
    moved_at: null,
    next_attempt_at: null,
    ...change,
  };
}

const ids = (files: readonly { id: string }[]) => files.map(({ id }) => id).join("");
const broken = { type: "X", code: "broken", message: "It is broken.", retryable: false };

describe("rows as the events change them", () => {
  const fetched = [row("c", 30), row("b", 20), row("a", 10)];

  test("a changed file moves to its place, a new one joins at its own", () => {
    const live = [row("a", 40), row("n", 25)];
    expect(ids(currentRows(fetched, live, EVERYTHING, "updated", false))).toBe("acnb");
  });

  test("a file of a page that is not fetched stays out", () => {
    expect(ids(currentRows(fetched, [row("n", 5)], EVERYTHING, "updated", true))).toBe("cba");
    expect(ids(currentRows(fetched, [row("n", 5)], EVERYTHING, "updated", false))).toBe("cban");
  });

  test("older news does not undo a row", () => {
    const [first] = currentRows(fetched, [row("c", 1, { state: "failed" })], EVERYTHING, "updated", false);
    expect(first?.state).toBe("completed");
  });

  test("a file that no longer matches leaves, one that does joins", () => {
    const failed = [row("b", 20, { state: "failed", error: broken })];
    const live = [row("b", 40), row("n", 41, { state: "failed", error: broken })];
    expect(ids(currentRows(failed, live, { ...EVERYTHING, state: "failed" }, "updated", false))).toBe("n");
    const other = { ...EVERYTHING, state: "failed", code: "other" };
    expect(ids(currentRows(failed, live, other, "updated", false))).toBe("");
    expect(ids(currentRows(fetched, live, { ...EVERYTHING, text: "N.PDF" }, "updated", false))).toBe("n");
  });

  test("deleted files leave", () => {
    const live = [row("b", 40, { state: "deleted" })];
    expect(ids(currentRows(fetched, live, EVERYTHING, "updated", false))).toBe("ca");
  });

  test("files that wait for a retry are not queued as well", () => {
    const waits = row("w", 40, { state: "queued", next_attempt_at: "2099-01-01T00:00:00Z" });
    expect(ids(currentRows([], [waits], { ...EVERYTHING, state: "queued" }, "updated", false))).toBe("");
    expect(ids(currentRows([], [waits], { ...EVERYTHING, state: "waiting" }, "updated", false))).toBe("w");
  });

  test("other orders are kept", () => {
    const byName = [row("a", 1), row("c", 2)];
    expect(ids(currentRows(byName, [row("b", 9)], EVERYTHING, "name", true))).toBe("abc");
    const bySize = [row("a", 1, { size: 30 }), row("c", 2, { size: 10 })];
    expect(ids(currentRows(bySize, [row("b", 9, { size: 20 })], EVERYTHING, "size", true))).toBe("abc");
  });

  test("of an attempt that both see, the stage of the events counts", () => {
    const seen = row("p", 50, { state: "processing", processing_stage: "extraction", progress: 0 });
    const live = row("p", 40, { state: "processing", processing_stage: "storing", progress: 0.9 });
    const [file] = currentRows([seen], [live], EVERYTHING, "updated", false);
    expect(file?.processing_stage).toBe("storing");
  });
});

test("held rows stay in place; new files are counted, the next page is added", () => {
  const shown = [row("b", 20), row("a", 10)];
  const fetched = [...shown, row("z", 1)];
  const current = [row("n", 30), row("a", 25, { state: "failed" }), row("b", 20), row("z", 1)];
  const { rows, unseen } = heldRows(shown, current, fetched);
  expect(ids(rows)).toBe("baz");
  expect(rows[1]?.state).toBe("failed");
  expect(unseen).toBe(1);
});
