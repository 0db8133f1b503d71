import { afterEach, beforeEach, expect, test } from "vitest";
import type { RagStatus, RagStatusPipeline } from "@/contract/types";
import { composeCursor, parsePosition } from "../cursor";
import { ApiError, type Answer, type Http, type RequestOptions } from "../http";
import { Poller } from "../polling";
import { Store } from "../store";
import { TIMING } from "../timing";
import { Log } from "./log";

interface Asked {
  method: string;
  cursor: string | null;
  seen: string;
}

let logs: Log[];
let store: Store;
let poller: Poller;
let asked: Asked[];
let answers: ((asked: Asked) => RagStatus)[];
let idle: () => void;

/** Answers as scripted, then never; `until` resolves when the script has ended. */
const http = {
  request(path: string, { body, signal }: RequestOptions): Promise<Answer<RagStatus>> {
    const query = new URL(path, "http://x").searchParams;
    const given = body as { cursor: string; seen: string } | undefined;
    const question = {
      method: given ? "POST" : "GET",
      cursor: given?.cursor ?? query.get("cursor"),
      seen: given?.seen ?? query.get("seen") ?? "",
    };
    const answer = answers.shift();
    if (answer === undefined) {
      idle();
      return new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(new ApiError("stopped", 0, "x", true)));
      });
    }
    asked.push(question);
    return Promise.resolve({ status: 200, headers: new Headers(), body: answer(question) });
  },
};

beforeEach(() => {
  logs = ["a", "b", "c"].map((id) => new Log(id));
  store = new Store((run) => queueMicrotask(run));
  asked = [];
  poller = new Poller(http as unknown as Http, handlers(), TIMING);
});

afterEach(() => poller.stop());

function handlers() {
  return {
    cursor: () => store.cursor(),
    working: () => false,
    hidden: () => false,
    answer: (answer: RagStatus, sinceCursor: boolean) => store.settlePoll(answer, sinceCursor),
    unchanged: () => undefined,
    failed: () => undefined,
    latency: () => undefined,
  };
}

function part(
  sent: Log[],
  named: Log[],
  seen: string,
  left = 0,
  events: RagStatus["events"] = [],
): RagStatus {
  const pipelines = sent.map((log) => ({
    status_details: log.status(),
    summary: log.summary(),
    is_active: log.id !== "b",
  }));
  return {
    pipelines: pipelines as unknown as RagStatusPipeline[],
    events,
    next_cursor: composeCursor(named.flatMap((log) => parsePosition(log.cursor) ?? [])) ?? "-1",
    up_to_date: left === 0,
    poll_after_ms: 0,
    seen,
    ...(left > 0 ? { pipelines_left: left } : {}),
  } as RagStatus;
}

function ackOf(log: Log) {
  const { cursor, digest } = log;
  return { pipeline_id: log.id, snapshot: log.status(), cursor, digest, recovered: true, replayed: 0 };
}

async function play(...script: ((asked: Asked) => RagStatus)[]): Promise<void> {
  answers = script;
  const ended = new Promise<void>((resolve) => (idle = resolve));
  if (asked.length === 0) poller.start();
  else poller.pollNow();
  await ended;
}

test("many pipelines come in parts, and then as they change", async () => {
  const [a, b, c] = logs as [Log, Log, Log];
  let cursorMeanwhile: string | null = "";
  const first = part([a, b], [a, b], "1", 1);
  await play(
    () => first,
    () => {
      cursorMeanwhile = store.cursor();
      return part([c], [a, b, c], "2");
    },
    ({ cursor }) => {
      expect(cursor).toBe(store.cursor());
      const event = b.start("f");
      return part([b], [a, b, c], "3", 0, [event]);
    },
    () => part([], [a, b], "4"),
  );
  expect(cursorMeanwhile, "a socket must not resume from a part").toBeNull();
  expect(asked.map(({ seen }) => seen)).toEqual(["", "1", "2", "3"]);
  expect(asked[1]?.cursor).toBe(first.next_cursor);
  expect(store.audit().b).toMatchObject({ seq: 1, applied: 1, resyncs: 0 });
  expect(store.pipelineIds(), "c is gone").toEqual(["a", "b"]);
  expect(store.all().map(({ isActive }) => isActive)).toEqual([true, false]);
  store.settle([ackOf(a)]);
  expect(store.pipeline("a")?.isActive, "heartbeats are received here again").toBeNull();
});

test("a long cursor is sent in a body", async () => {
  logs = Array.from({ length: 150 }, (_, number) => new Log(`p${number}`));
  await play(
    () => part(logs, logs, "1"),
    () => part([], logs, "1"),
  );
  expect(asked.map(({ method, seen }) => [method, seen])).toEqual([
    ["GET", ""],
    ["POST", "1"],
  ]);
});

test("what came by socket in the meantime makes the server send all pipelines again", async () => {
  await play(() => part(logs, logs, "1"));
  poller.stop();
  poller = new Poller(http as unknown as Http, handlers(), TIMING);
  asked = [];
  await play(() => part(logs, logs, "1"));
  expect(asked).toMatchObject([{ cursor: store.cursor(), seen: "" }]);
});
