// @vitest-environment happy-dom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "@/client/http";
import type { FileRow } from "@/contract/types";
import { usePipeline } from "@/react/hooks";
import { Page } from "@/react/tests/rendering";
import { useFilePages } from "../file-pages";
import { FileTable } from "../file-table";

let page: Page;
let cleared: boolean;

beforeEach(() => {
  page = new Page();
  cleared = false;
  vi.spyOn(HTMLElement.prototype, "getBoundingClientRect").mockReturnValue(new DOMRect(0, 0, 1000, 800));
});

function Table({ filter = "" }: { filter?: string }) {
  const state = usePipeline("docs");
  return state ? <Loaded state={state} filter={filter} /> : null;
}

const FILTERS = { "": { state: "", code: "", text: "" }, failed: { state: "failed", code: "", text: "" } };

function Loaded({ state, filter }: { state: Page["state"]; filter: string }) {
  const filters = FILTERS[filter as keyof typeof FILTERS];
  const pages = useFilePages(state, filters, "updated");
  return (
    <FileTable
      pipelineId={state.id}
      pages={pages}
      sort="updated"
      onSort={() => undefined}
      filtered={filter !== ""}
      onClear={() => (cleared = true)}
    />
  );
}

function row(id: string, change: Partial<FileRow> = {}): FileRow {
  return {
    id,
    name: `${id}.pdf`,
    folder: "",
    url: null,
    mime_type: "application/pdf",
    size: 2_000,
    state: "completed",
    standing: "completed",
    processing_stage: null,
    progress: null,
    attempt: 1,
    results: { chunks_created: 4, embeddings_generated: 4, processing_duration: 1, content_length: 9 },
    error: null,
    reason: null,
    first_seen_at: "2026-01-01T00:00:00Z",
    started_at: "2026-01-01T00:00:00Z",
    finished_at: "2026-01-01T00:00:03Z",
    updated_at: "2026-01-01T00:00:03Z",
    moved_at: null,
    next_attempt_at: null,
    ...change,
  };
}

function serve(...files: FileRow[]): void {
  page.serve("/api/pipelines/docs/files", { files, next: null, total: files.length });
}

const rows = () =>
  screen.queryAllByTestId("file-row").map(({ dataset }) => `${dataset.name} ${dataset.state}`);

test("shows a skeleton, then the files with their facts", async () => {
  serve(row("a"));
  page.render(<Table />);
  expect(screen.getByLabelText("Loading files")).toBeDefined();
  await waitFor(() => expect(rows()).toEqual(["a.pdf completed"]));
  const cells = screen.getAllByRole("cell").map((cell) => cell.textContent);
  expect(cells).toContain("2.0 KB");
  expect(cells).toContain("3.0 s");
});

test("the duration does not depend on what the snapshot leaves out", async () => {
  const completed = page.log.complete("a");
  const finished_at = completed.timestamp;
  const started_at = new Date(Date.parse(finished_at) - 3_000).toISOString();
  page.client.store.replace(page.log.status());
  serve(row("a", { started_at, finished_at, updated_at: finished_at }), row("b"));
  page.render(<Table />);
  await waitFor(() => expect(rows()).toHaveLength(2));
  expect(screen.getAllByRole("cell", { name: "3.0 s" })).toHaveLength(2);
});

test("follows events without asking again", async () => {
  serve(row("a"));
  page.render(<Table />);
  await waitFor(() => expect(rows()).toHaveLength(1));
  page.hear(page.log.start("b"), page.log.progress("b", 0.42));
  expect(rows()).toEqual(["b.pdf processing", "a.pdf completed"]);
  expect(screen.getByText("42 %")).toBeDefined();
  page.hear(page.log.complete("b"), page.log.start("a", 2), page.log.fail("a"));
  expect(rows()).toEqual(["a.pdf failed", "b.pdf completed"]);
  expect(page.requests).toHaveLength(1);
});

test("keeps rows in place under the pointer until the new ones are asked for", async () => {
  serve(row("a"));
  page.render(<Table />);
  await waitFor(() => expect(rows()).toHaveLength(1));
  fireEvent.pointerEnter(screen.getByRole("rowgroup"), { pointerType: "mouse" });
  page.hear(page.log.start("b"), page.log.complete("b"));
  expect(rows()).toEqual(["a.pdf completed"]);
  fireEvent.click(screen.getByText("1 new"));
  expect(rows()).toEqual(["b.pdf completed", "a.pdf completed"]);
});

test("fetches again after a resync", async () => {
  serve(row("a"));
  page.render(<Table />);
  await waitFor(() => expect(rows()).toHaveLength(1));
  page.client.store.replace(page.log.status());
  await waitFor(() => expect(page.requests).toHaveLength(2));
});

test("says how to add a file while there is none", async () => {
  serve();
  page.render(<Table />);
  await waitFor(() => expect(screen.getByText("No files yet")).toBeDefined());
  expect(screen.getByText(/within a second/)).toBeDefined();
  page.client.store.replace({ ...page.log.status(), pipeline_type: "google_drive" });
  await waitFor(() => expect(screen.getByText(/folder of Google Drive/)).toBeDefined());
  const problem = { code: "auth_required", message: "Refused.", since: "2026-01-01T00:00:00Z" };
  page.client.store.replace({ ...page.log.status(), problem });
  await waitFor(() => expect(screen.getByText(/once the problem above is solved/)).toBeDefined());
});

test("offers all files when none matches", async () => {
  serve();
  page.render(<Table filter="failed" />);
  await waitFor(() => expect(screen.getByText("No file matches")).toBeDefined());
  fireEvent.click(screen.getByText("Show all files"));
  expect(cleared).toBe(true);
});

test("says what went wrong, and tries again", async () => {
  page.serve("/api/pipelines/docs/files", new ApiError("The database rests.", 503, "database", true));
  page.render(<Table />);
  await waitFor(() => expect(screen.getByText("The database rests.")).toBeDefined());
  serve(row("a"));
  fireEvent.click(screen.getByText("Try again"));
  await waitFor(() => expect(rows()).toHaveLength(1));
});
