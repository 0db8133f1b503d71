// @vitest-environment happy-dom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { reason, type Connection } from "@/client/connection";
import { installPopovers } from "@/react/tests/popovers";
import { Page } from "@/react/tests/rendering";
import { ConnectionBadge } from "../badge";

let page: Page;

beforeAll(installPopovers);

beforeEach(() => {
  page = new Page();
});

function show(connection: Partial<Connection>): HTMLElement {
  const shown = { ...page.client.connection, since: Date.now(), ...connection };
  Object.defineProperty(page.client, "connection", { value: shown });
  page.render(<ConnectionBadge />);
  return screen.getByTestId("connection-badge");
}

test("live says the round trip", () => {
  const badge = show({ state: "live", reason: reason("connected"), latencyMs: 12.4 });
  expect(badge.textContent).toBe("Live12 ms");
  expect(badge.dataset.state).toBe("live");
});

test.each([
  ["polling", "socket_lost", "Polling"],
  ["offline", "server_unreachable", "Offline"],
  ["connecting", "starting", "Connecting"],
] as const)("%s says so, and why", (state, code, word) => {
  const badge = show({ state, reason: reason(code) });
  expect(badge.textContent).toContain(word);
  expect(badge.dataset.reason).toBe(code);
});

test("opened, it tells what was received and tests the connection", async () => {
  page.hear(page.log.start("a"), page.log.complete("a"));
  page.serve("/api/socket/test", {
    success: true,
    latency: 4,
    transport: "websocket",
    server_info: { connected_clients: 2 },
  });
  fireEvent.click(show({ state: "live", reason: reason("connected") }));
  expect(await screen.findByText("2 applied · 0 repeated")).toBeDefined();
  fireEvent.click(screen.getByText("Test connection"));
  await waitFor(() =>
    expect(screen.getByText("Round trip in 4 ms over websocket · 2 connected.")).toBeDefined(),
  );
});

test("polling can be preferred", async () => {
  fireEvent.click(show({ state: "live", reason: reason("connected") }));
  const chosen: boolean[] = [];
  page.client.preferPolling = (prefer) => void chosen.push(prefer);
  fireEvent.click(await screen.findByRole("switch", { name: "Prefer polling" }));
  expect(chosen).toEqual([true]);
});
