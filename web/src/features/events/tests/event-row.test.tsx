// @vitest-environment happy-dom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import { usePipeline } from "@/react/hooks";
import { Page } from "@/react/tests/rendering";
import { useEventLog } from "../event-log";
import { EventRow } from "../event-row";

let page: Page;

beforeEach(() => {
  page = new Page();
});

const seqs = () => screen.queryAllByTestId("event-row").map(({ dataset }) => dataset.seq);

test("an event says what happened to which file, and opened, everything", () => {
  page.render(<EventRow event={page.log.fail("report")} />);
  expect(screen.getByText("Failed")).toBeDefined();
  expect(screen.getByText("It is broken.")).toBeDefined();
  expect(screen.getByRole("link").getAttribute("href")).toContain("pipeline=docs&id=report");
  expect(screen.queryByText(/"retryable"/)).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Event 1: all fields" }));
  expect(screen.getByText(/"retryable"/)).toBeDefined();
});

const ALL = { type: "", fileId: "" };
const FAILED = { type: "file:failed", fileId: "" };

function LogRows({ held = false, query = ALL }: { held?: boolean; query?: typeof ALL }) {
  const state = usePipeline("docs");
  return state ? <Rows state={state} held={held} query={query} /> : null;
}

function Rows({ state, held, query }: { state: Page["state"]; held: boolean; query: typeof ALL }) {
  const { events, waiting } = useEventLog(state, query, held);
  return (
    <>
      <p>{waiting} waiting</p>
      {events.map((event) => (
        <EventRow key={event.seq} event={event} />
      ))}
    </>
  );
}

function serve(): void {
  const { log } = page;
  const events = [...log.events].reverse();
  page.serve("/api/pipelines/docs/events", { events, next: null, cursor: log.cursor, digest: log.digest });
  page.client.store.replace(log.status());
}

test("fetched events and those that came since join up, newest first", async () => {
  page.log.start("a");
  page.log.complete("a");
  serve();
  page.render(<LogRows />);
  await waitFor(() => expect(seqs()).toEqual(["2", "1"]));
  page.hear(page.log.start("b"), page.log.fail("b"));
  expect(seqs()).toEqual(["4", "3", "2", "1"]);
  expect(page.requests).toHaveLength(1);
});

test("new events wait while the rows are held", async () => {
  page.log.start("a");
  serve();
  page.render(<LogRows held />);
  await waitFor(() => expect(seqs()).toEqual(["1"]));
  page.hear(page.log.complete("a"));
  expect(seqs()).toEqual(["1"]);
  expect(screen.getByText("1 waiting")).toBeDefined();
});

test("only events of the chosen type join", async () => {
  serve();
  page.render(<LogRows query={FAILED} />);
  await waitFor(() => expect(page.requests[0]).toContain("type=file%3Afailed"));
  page.hear(page.log.start("a"), page.log.fail("a"));
  await waitFor(() => expect(seqs()).toEqual(["2"]));
});
