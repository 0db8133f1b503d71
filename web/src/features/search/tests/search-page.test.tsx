// @vitest-environment happy-dom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "@/client/http";
import type { SearchHit } from "@/contract/types";
import { Page } from "@/react/tests/rendering";
import { SearchPage } from "../search-page";

const address = vi.hoisted(() => ({ query: new URLSearchParams() }));
vi.mock("next/navigation", () => ({
  useSearchParams: () => address.query,
  usePathname: () => "/search/",
}));

let page: Page;

beforeEach(() => {
  page = new Page();
  address.query = new URLSearchParams();
});

const hit: SearchHit = {
  content: "The turbine hall smells of cinnamon.",
  snippet: "The turbine hall smells of cinnamon.",
  marks: [{ start: 4, end: 11 }],
  score: 0.871,
  matched: ["text", "vector"],
  chunk_index: 0,
  page: 3,
  file: {
    id: "f",
    name: "manual.pdf",
    folder: "guides",
    url: null,
    mime_type: "application/pdf",
    pipeline_id: "docs",
    pipeline_type: "local_files",
    indexed_at: "2026-01-01T00:00:00Z",
  },
} as unknown as SearchHit;

function ask(question: string): void {
  fireEvent.change(screen.getByTestId("search-text"), { target: { value: question } });
}

test("invites to ask, and asks nothing by itself", () => {
  page.render(<SearchPage />);
  expect(screen.getByText("What do you want to know?")).toBeDefined();
  expect(page.requests).toEqual([]);
});

test("shows passages with file, page, marks and what they were found by", async () => {
  page.serve("/api/search", { hits: [hit] });
  page.render(<SearchPage />);
  ask("turbine");
  const found = await screen.findByTestId("hit");
  expect(found.dataset).toMatchObject({ name: "manual.pdf", page: "3" });
  expect(found.querySelector("mark")?.textContent).toBe("turbine");
  expect(found.textContent).toContain("found by meaning and words");
  expect(found.textContent).toContain("0.87");
});

test("asks once typing pauses", async () => {
  page.serve("/api/search", { hits: [] });
  page.render(<SearchPage />);
  for (const text of ["t", "tu", "tur"]) ask(text);
  await waitFor(() => expect(page.requests).toHaveLength(1));
  expect(page.requests[0]).toContain("q=tur&");
});

test("within filters, offers to search in everything", async () => {
  address.query = new URLSearchParams({ q: "turbine", type: "pdf", since: "7d" });
  page.serve("/api/search", { hits: [] });
  page.render(<SearchPage />);
  await screen.findByText("Search in everything");
  expect(page.requests[0]).toMatch(/type=pdf&since=/);
});

test("says that nothing is found, and what went wrong", async () => {
  page.serve("/api/search", { hits: [] });
  page.render(<SearchPage />);
  ask("nothing");
  await screen.findByText("Nothing is found");
  page.serve("/api/search", new ApiError("The model is not loaded.", 503, "no_model", true));
  ask("something");
  await waitFor(() =>
    expect(screen.getByTestId("search-error").textContent).toBe("The model is not loaded."),
  );
});
