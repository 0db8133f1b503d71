import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Session } from "@/contract/types";
import { clock } from "../clock";
import { reason } from "../connection";
import { ApiError, Http } from "../http";
import { ConnectionRunner } from "../runner";
import { SessionKeeper } from "../session";
import { Store } from "../store";
import type { PollHandlers, SocketHandlers } from "../transports";
import { Log } from "./log";

const SESSION: Session = {
  token: "token",
  expires_at: "2026-01-01T00:05:00.000Z",
  role: "viewer",
  redacted: false,
  websocket: {
    url: "http://status",
    path: "/socket.io",
    namespaces: ["/local_files"],
    every_pipeline: "/pipelines",
  },
  may_operate: true,
  version: "1",
};

/** Everything that the runner asked of its transports, in order. */
let done: string[];
let sockets: SocketHandlers[];
let polls: PollHandlers[];
let available: boolean;
let sessionError: ApiError | null;
let store: Store;
let log: Log;
let runner: ConnectionRunner;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-01-01T00:00:00Z") });
  [done, sockets, polls, available, sessionError] = [[], [], [], true, null];
  log = new Log();
  store = new Store((run) => setTimeout(run, 0));
  runner = newRunner();
});

afterEach(() => {
  runner.dispatch({ type: "stop" });
  vi.useRealTimers();
});

class AnsweringHttp extends Http {
  override get<T>(path: string): Promise<T> {
    done.push(`GET ${path}`);
    if (path === "/api/session" && sessionError) return Promise.reject(sessionError);
    return Promise.resolve((path === "/api/session" ? SESSION : { available }) as T);
  }
}

function newRunner(): ConnectionRunner {
  const http = new AnsweringHttp("http://127.0.0.1:9");
  const note = (what: string) => () => void done.push(what);
  return new ConnectionRunner(
    http,
    new SessionKeeper(http),
    store,
    {
      loadSocket: () =>
        Promise.resolve((_session, handlers) => {
          sockets.push(handlers);
          return {
            open: note("open"),
            close: note("close"),
            resubscribe: (id, cursor) => void done.push(`resubscribe ${id} ${cursor ?? "-"}`),
            authorize: () => Promise.resolve(void done.push("authorize")),
            tellActivity: (_client, activity) => void done.push(`activity ${activity}`),
            probe: () => Promise.resolve(void done.push("probe")),
          };
        }),
      createPoller: (handlers) => {
        polls.push(handlers);
        return {
          start: note("poll"),
          stop: note("stop polling"),
          pollNow: note("poll now"),
          pollFromStart: note("poll from start"),
        };
      },
    },
    { preferPolling: false, hidden: () => false, clientId: "me" },
  );
}

async function goLive(): Promise<SocketHandlers> {
  runner.dispatch({ type: "start" });
  await vi.advanceTimersByTimeAsync(0);
  const socket = sockets.at(-1);
  if (!socket) throw new Error("No socket was opened.");
  socket.connected();
  const { cursor, digest } = log;
  const answer = { snapshot: log.status(), cursor, digest, recovered: false, replayed: 0 };
  socket.settled([{ pipeline_id: log.id, ...answer }], true);
  socket.live();
  socket.confirmed(clock.now());
  return socket;
}

/** What was done since the last call. */
function newly(): string[] {
  return done.splice(0);
}

test("asks for the session and the server, opens a socket, and goes live", async () => {
  await goLive();
  expect(newly()).toEqual(["GET /api/session", "GET /api/socket/info", "open", "activity active"]);
  expect(runner.connection).toMatchObject({ state: "live", role: "viewer", mayOperate: true });
});

test("polls when the socket takes long, and stops when it is there", async () => {
  runner.dispatch({ type: "start" });
  await vi.advanceTimersByTimeAsync(2_500);
  expect(newly()).toContain("poll");
  expect(runner.connection.reason.code).toBe("socket_slow");
  sockets[0]?.connected();
  sockets[0]?.live();
  expect(newly()).toEqual(["stop polling", "activity active"]);
});

test("polls without a status server, and opens a socket again after a while", async () => {
  available = false;
  runner.dispatch({ type: "start" });
  await vi.advanceTimersByTimeAsync(0);
  expect(newly()).toEqual(["GET /api/session", "GET /api/socket/info", "poll"]);
  expect(runner.connection.reason.code).toBe("socket_unavailable");
  available = true;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(newly()).toEqual(["GET /api/socket/info", "open"]);
});

test("a lost socket is closed and followed by polling and another attempt", async () => {
  const socket = await goLive();
  newly();
  socket.down(reason("socket_lost"), null);
  expect(newly()).toEqual(["close", "poll"]);
  expect(runner.connection).toMatchObject({ state: "polling", fallbacks: 1 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(newly()).toContain("open");
});

test("without access, it forgets the data, asks nothing more, and starts again with another token", async () => {
  const socket = await goLive();
  newly();
  sessionError = new ApiError("The token was revoked.", 401, "token_revoked", false);
  socket.expiring();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(newly()).toEqual(["GET /api/session", "close"]);
  expect(runner.connection).toMatchObject({ state: "signed_out", reason: { code: "access_ended" } });
  expect(store.pipelineIds()).toEqual([]);
  sessionError = null;
  runner.dispatch({ type: "signed_in" });
  await vi.advanceTimersByTimeAsync(0);
  expect(newly()).toEqual(["GET /api/session", "GET /api/socket/info", "open"]);
});

test("a refused poll ends access too", async () => {
  available = false;
  runner.dispatch({ type: "start" });
  await vi.advanceTimersByTimeAsync(0);
  newly();
  polls[0]?.failed(new ApiError("Use a viewer's token.", 403, "forbidden", false), 1);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(newly()).toEqual(["stop polling"]);
  expect(runner.connection.reason).toMatchObject({ code: "forbidden" });
});

describe("what is shown is out of date", () => {
  test("when nothing confirms it, and current again when something does", async () => {
    const socket = await goLive();
    expect(runner.connection.state).toBe("live");
    await vi.advanceTimersByTimeAsync(7_900);
    expect(runner.connection.state).toBe("live");
    socket.latency(4);
    socket.events([log.start("a")]);
    await vi.advanceTimersByTimeAsync(200);
    expect(runner.connection.state).toBe("stale");
    socket.confirmed(clock.now());
    expect(runner.connection.state).toBe("live");
  });

  test("while events are missing that the server told of", async () => {
    const socket = await goLive();
    log.start("lost");
    socket.events([log.heartbeat()]);
    await vi.advanceTimersByTimeAsync(4_000);
    socket.confirmed(clock.now());
    await vi.advanceTimersByTimeAsync(4_100);
    expect(runner.connection.state).toBe("stale");
  });
});

test("presents a renewed token on the open socket", async () => {
  await goLive();
  newly();
  await vi.advanceTimersByTimeAsync(4 * 60_000);
  expect(newly()).toEqual(["GET /api/session", "authorize"]);
});

describe("what is wrong with the events", () => {
  test("a gap is filled from the cursor, a wrong digest by a snapshot", async () => {
    const socket = await goLive();
    const before = log.cursor;
    newly();
    log.start("lost");
    socket.events([log.complete("lost")]);
    store.flush();
    expect(newly()).toEqual([`resubscribe docs ${before}`]);
    socket.events([log.heartbeat(0, "f".repeat(64))]);
    store.flush();
    expect(newly()).toEqual(["resubscribe docs -"]);
  });

  test("a lag is filled only when it lasts", async () => {
    const socket = await goLive();
    newly();
    const event = log.start("late");
    socket.events([log.heartbeat()]);
    store.flush();
    socket.events([event]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(newly()).toEqual([]);
    log.complete("late");
    const { cursor } = store.pipeline(log.id) ?? {};
    socket.events([log.heartbeat()]);
    store.flush();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(newly()).toEqual([`resubscribe docs ${cursor}`]);
  });
});

test("stopped, it closes everything and ignores what is still under way", async () => {
  const socket = await goLive();
  newly();
  runner.dispatch({ type: "stop" });
  expect(newly()).toEqual(["close"]);
  socket.down(reason("socket_lost"), null);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(newly()).toEqual([]);
});
