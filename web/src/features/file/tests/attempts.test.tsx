// @vitest-environment happy-dom
import { screen } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import { attemptSeconds } from "@/components/ui/attempt-seconds";
import { eventText } from "@/components/ui/event-text";
import type { Attempt } from "@/contract/types";
import { Page } from "@/react/tests/rendering";
import { Attempts } from "../attempts";

const STARTED = "2026-01-01T00:00:00.000Z";
const FINISHED = "2026-01-01T00:00:00.466Z";
let page: Page;

beforeEach(() => {
  page = new Page();
});

function attempt(change: Partial<Attempt> = {}): Attempt {
  return {
    attempt: 1,
    worker: null,
    started_at: STARTED,
    finished_at: FINISHED,
    outcome: "completed",
    stages: [
      { stage: "extraction", duration: 0.114 },
      { stage: "embedding", duration: 0.084 },
      { stage: "storing", duration: 0.041 },
    ],
    error: null,
    ...change,
  };
}

const parts = () => screen.getAllByRole("listitem").map(({ textContent }) => textContent);

test("an attempt takes as long on the file's page as in the log", () => {
  page.render(<Attempts attempts={[attempt()]} live={undefined} />);
  expect(screen.getByTestId("attempt").textContent).toContain("466 ms");
  const completed = page.log.complete("a");
  if (completed.type !== "file:completed") throw new Error(completed.type);
  // The producer's own measure is of the stages alone.
  const results = { ...completed.results, processing_duration: 0.239 };
  const file = { ...completed.file, started_at: STARTED, completed_at: FINISHED };
  expect(eventText({ ...completed, file, results })).toBe("3 chunks in 466 ms");
  const { started_at: _, ...withoutStart } = file;
  expect(eventText({ ...completed, file: withoutStart, results })).toBe("3 chunks");
});

test("the parts of an attempt add up to the whole", () => {
  page.render(<Attempts attempts={[attempt()]} live={undefined} />);
  expect(parts().slice(1)).toEqual(["Extraction114 ms", "Embedding84 ms", "Storing41 ms", "Waiting227 ms"]);
});

test("no waiting is shown where the stages are the whole, or are not known", () => {
  const stages = [{ stage: "extraction" as const, duration: 0.466 }];
  page.render(<Attempts attempts={[attempt({ stages })]} live={undefined} />);
  expect(parts().slice(1)).toEqual(["Extraction466 ms"]);
  page = new Page();
  page.render(<Attempts attempts={[attempt({ stages: [] })]} live={undefined} />);
  expect(screen.queryByText("Waiting")).toBeNull();
});

test.each([
  [STARTED, FINISHED, 0.466],
  [STARTED, null, null],
  [null, FINISHED, null],
  [undefined, FINISHED, null],
  [FINISHED, STARTED, null],
])("from %s to %s: %s seconds", (started_at, finished_at, seconds) => {
  expect(attemptSeconds({ started_at, finished_at })).toBe(seconds);
});
