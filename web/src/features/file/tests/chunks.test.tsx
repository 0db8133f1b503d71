// @vitest-environment happy-dom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import { ApiError } from "@/client/http";
import type { FileDetail, IndexedChunk } from "@/contract/types";
import { Page } from "@/react/tests/rendering";
import { Chunks } from "../chunks";

const PATH = "/api/pipelines/docs/chunks?file_id=f&limit=20";
let page: Page;

beforeEach(() => {
  page = new Page();
});

function range(from: number, to: number): IndexedChunk[] {
  return Array.from({ length: to - from }, (_, index) => ({
    chunk_index: from + index,
    content: `text ${from + index}`,
    page: null,
  }));
}

function show(total: number, version = ""): void {
  const chunks = range(0, Math.min(20, total));
  const detail = { file: { id: "f" }, chunks, chunk_count: total } as FileDetail;
  page.render(<Chunks pipelineId="docs" detail={detail} version={version} />);
}

function serve(total: number): void {
  for (let from = 0; from < total; from += 20) {
    const chunks = range(from, Math.min(from + 20, total));
    const next = from + 20 < total ? from + 19 : null;
    page.serve(from === 0 ? PATH : `${PATH}&after=${from - 1}`, { chunks, next });
  }
}

const shown = () => screen.queryAllByTestId("chunk").length;
const more = () => screen.getByTestId("more-chunks");

test("shows the beginning, and all chunks page by page", async () => {
  serve(41);
  show(41);
  expect(screen.getByText("first 5 of 41 chunks")).toBeDefined();
  expect(page.requests).toEqual([]);
  for (const [label, count] of [
    ["Show 20 of 36 more chunks", 20],
    ["Show 20 of 21 more chunks", 40],
    ["Show 1 of 1 more chunk", 41],
  ] as const) {
    await waitFor(() => expect(more().textContent).toBe(label));
    fireEvent.click(more());
    await waitFor(() => expect(shown()).toBe(count));
  }
  expect(screen.queryByTestId("more-chunks")).toBeNull();
  expect(screen.getByText("41 chunks")).toBeDefined();
  expect(screen.getByText("text 40")).toBeDefined();
  expect(page.requests).toEqual([PATH, `${PATH}&after=19`, `${PATH}&after=39`]);
});

test("few chunks are shown at once", () => {
  show(1);
  expect(shown()).toBe(1);
  expect(screen.getByText("1 chunk")).toBeDefined();
  expect(screen.queryByTestId("more-chunks")).toBeNull();
});

test("says what went wrong, and tries again", async () => {
  page.serve(PATH, new ApiError("The database rests.", 503, "database", true));
  show(41);
  fireEvent.click(more());
  await waitFor(() => expect(screen.getByText("The database rests.")).toBeDefined());
  expect(shown()).toBe(20);
  serve(41);
  fireEvent.click(screen.getByText("Try again"));
  await waitFor(() => expect(more().textContent).toBe("Show 20 of 21 more chunks"));
});
