// @vitest-environment happy-dom
import { screen, within } from "@testing-library/react";
import { beforeEach, describe, expect, test } from "vitest";
import type { FailureGroup } from "@/contract/types";
import { usePipelines } from "@/react/hooks";
import { Page } from "@/react/tests/rendering";
import { NeedsYou } from "../needs-you";
import { PipelineCard } from "../pipeline-card";

let page: Page;

beforeEach(() => {
  page = new Page();
});

function Needs() {
  return <NeedsYou pipelines={usePipelines()} />;
}

function Cards() {
  return usePipelines().map((state) => <PipelineCard key={state.id} state={state} />);
}

function group(change: Partial<FailureGroup>): FailureGroup {
  return {
    state: "failed",
    code: "corrupt_file",
    stage: "extraction",
    count: 1,
    message: "The file is damaged.",
    retryable: false,
    next_attempt_at: null,
    is_common: true,
    what_to_do: "Replace the file.",
    ...change,
  };
}

describe("needs you", () => {
  test("says so when nothing failed", () => {
    page.render(<Needs />);
    expect(screen.getByText("Nothing failed.")).toBeDefined();
  });

  test("counts failures and what waits for somebody, not what passes by itself", () => {
    page.render(<Needs />);
    page.log.failures = [
      group({ count: 2 }),
      group({ state: "waiting", code: "embedding_budget_spent", count: 3, what_to_do: "Raise the budget." }),
      group({ state: "waiting", code: "provider_unavailable", count: 50 }),
      group({ state: "skipped", code: "no_text", count: 9 }),
    ];
    page.hear(
      page.log.start("a"),
      page.log.fail("a"),
      page.log.start("b"),
      page.log.fail("b"),
      page.log.summary(),
    );
    const section = screen.getByRole("region", { name: "Needs you" });
    expect(section.querySelector("h2 + span")?.textContent).toBe("5");
    const reasons = within(section).getAllByRole("link");
    expect(reasons.map((link) => link.textContent)).toEqual([
      "2Corrupt fileReplace the file.",
      "3Embedding budget spentRaise the budget.",
    ]);
    expect(reasons[0]?.getAttribute("href")).toContain("state=failed&code=corrupt_file");
  });

  test("names the pipeline when there are several, and shows a pause", () => {
    page.render(<Needs />);
    page.log.failures = [group({})];
    const paused = { code: "embedding_rejected", message: "Refused.", since: "2026-01-01T00:00:00Z" };
    page.client.store.replace({ ...page.log.status(), pipeline_id: "other", paused });
    page.hear(page.log.summary());
    expect(screen.getByTestId("needs-pause").textContent).toContain("Embedding rejected");
    expect(screen.getByText("· docs")).toBeDefined();
  });
});

describe("pipeline card", () => {
  test("invites to add a file while there is none", () => {
    page.render(<Cards />);
    expect(screen.getByText(/No files yet/)).toBeDefined();
  });

  test("shows counts, pace and the last failure as events come, without a request", () => {
    page.render(<Cards />);
    page.log.queued = 4;
    const { log } = page;
    page.hear(
      log.start("a"),
      log.complete("a"),
      log.start("b"),
      log.fail("b"),
      log.start("c"),
      log.summary(),
    );
    expect(screen.getByTestId("count-completed").textContent).toBe("1");
    expect(screen.getByTestId("count-queued").textContent).toBe("4");
    expect(screen.getByTestId("count-processing").textContent).toBe("1");
    expect(screen.getByTestId("failed-link").textContent).toBe("1 failed");
    expect(screen.getByText(/It is broken/)).toBeDefined();
    expect(screen.getByText("in the last 30 min").previousElementSibling?.textContent).toBe("1");
    expect(page.requests).toEqual([]);
  });

  test("says how many of those in progress are stuck", () => {
    page.render(<Cards />);
    page.log.standings = [{ id: "a", standing: "stuck", moved_at: null }];
    page.hear(page.log.start("a"), page.log.start("b"), page.log.summary());
    expect(screen.getByTestId("count-held").textContent).toBe("(1 stuck)");
  });

  test("says what keeps a pipeline from working", () => {
    page.render(<Cards />);
    const problem = { code: "folder_missing", message: "The folder is gone.", since: "2026-01-01T00:00:00Z" };
    page.client.store.replace({ ...page.log.status(), problem });
    page.hear(page.log.heartbeat());
    expect(screen.getByText("The folder is gone.")).toBeDefined();
  });
});
