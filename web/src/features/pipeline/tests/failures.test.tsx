// @vitest-environment happy-dom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import type { FailureGroup } from "@/contract/types";
import { ApiError } from "@/client/http";
import { usePipeline } from "@/react/hooks";
import { Page } from "@/react/tests/rendering";
import { Failures } from "../failures";

let page: Page;
let shown: FailureGroup[];

beforeEach(() => {
  page = new Page();
  shown = [];
});

function Panel() {
  const state = usePipeline("docs");
  return state ? <Failures state={state} onShow={(group) => shown.push(group)} /> : null;
}

function group(code: string, state: FailureGroup["state"] = "failed"): FailureGroup {
  return {
    state,
    code,
    stage: "embedding",
    count: 1,
    message: `About ${code}.`,
    retryable: true,
    next_attempt_at: state === "waiting" ? "2099-01-01T00:00:00Z" : null,
    is_common: true,
    what_to_do: "Wait.",
  };
}

function hear(...groups: FailureGroup[]): void {
  page.log.failures = groups;
  page.hear(page.log.start("a"), page.log.fail("a"), page.log.summary());
}

function mayOperate(): void {
  Object.defineProperty(page.client, "connection", {
    value: { ...page.client.connection, mayOperate: true },
  });
}

test("is absent while everything is searchable", () => {
  page.render(<Panel />);
  expect(screen.queryByRole("region")).toBeNull();
});

test("lists the reasons, the rest on demand, and hands the chosen one on", () => {
  page.render(<Panel />);
  hear(...["a", "b", "c", "d", "e", "f"].map((code) => group(code)));
  expect(screen.getAllByTestId("failure-group")).toHaveLength(4);
  fireEvent.click(screen.getByText("2 more reasons"));
  expect(screen.getAllByTestId("failure-group")).toHaveLength(6);
  fireEvent.click(screen.getAllByText("Show files")[4] ?? document.body);
  expect(shown.map(({ code }) => code)).toEqual(["e"]);
});

test("tells waiting and skipped files apart from failed ones", () => {
  page.render(<Panel />);
  hear(group("down", "waiting"), group("no_text", "skipped"));
  const states = screen.getAllByTestId("failure-group").map(({ dataset }) => dataset.state);
  expect(states).toEqual(["waiting", "skipped"]);
  expect(screen.getByText(/tried again/)).toBeDefined();
});

test("only looks where the viewer may not operate", () => {
  page.render(<Panel />);
  hear(group("down"));
  expect(screen.queryByTestId("retry")).toBeNull();
});

test("retries a reason, and says how many files were queued", async () => {
  mayOperate();
  page.serve("/api/pipelines/docs/retry", { requeued: 3 });
  page.render(<Panel />);
  hear(group("down"));
  fireEvent.click(screen.getByTestId("retry"));
  await waitFor(() => expect(screen.getByText("3 files queued")).toBeDefined());
  expect(page.requests).toEqual(["/api/pipelines/docs/retry"]);
});

test("says why a retry was refused", async () => {
  mayOperate();
  page.serve("/api/pipelines/docs/retry", new ApiError("The pipeline is offline.", 409, "offline", false));
  page.render(<Panel />);
  hear(group("down"));
  fireEvent.click(screen.getByTestId("retry"));
  await waitFor(() => expect(screen.getByText("The pipeline is offline.")).toBeDefined());
});
