import { beforeEach, describe, expect, test } from "vitest";
import type { SubscribedPipeline } from "@/contract/types";
import { Store } from "../store";
import type { Trouble } from "../verification";
import { Log } from "./log";

let log: Log;
let store: Store;
let troubles: Trouble[];

beforeEach(() => {
  log = new Log();
  store = new Store((run) => queueMicrotask(run));
  troubles = [];
  store.onTrouble = (_id, trouble) => troubles.push(trouble);
  store.replace(log.status());
});

function ack(change: Partial<SubscribedPipeline> = {}): SubscribedPipeline[] {
  const { cursor, digest } = log;
  return [
    { pipeline_id: log.id, snapshot: log.status(), cursor, digest, recovered: true, replayed: 0, ...change },
  ];
}

function audit() {
  return store.audit()[log.id];
}

describe("durable events", () => {
  test("are applied once each, in order, to the digest the log has", () => {
    for (let file = 0; file < 50; file += 1) store.enqueue([log.start(`f${file}`), log.complete(`f${file}`)]);
    store.enqueue(log.events.slice(10, 30));
    store.flush();
    expect(audit()).toMatchObject({ seq: 100, applied: 100, duplicates: 20, gaps: 0, digest: log.digest });
    expect(store.pipeline(log.id)?.counts).toEqual(log.status().counts);
    expect(store.pipeline(log.id)?.events.map(({ seq }) => seq)).toEqual(log.events.map(({ seq }) => seq));
  });

  test("after a gap wait for the missing ones, and the gap is counted once", () => {
    const [first, missing, ...rest] = [log.start("a"), log.start("b"), log.complete("a"), log.complete("b")];
    store.enqueue([first, ...rest].filter((event) => event !== undefined));
    store.flush();
    expect(troubles).toEqual(["gap"]);
    expect(audit()).toMatchObject({ seq: 1, gaps: 1 });
    store.enqueue(missing ? [missing, ...rest] : []);
    store.settle(ack({ replayed: 3 }));
    expect(audit()).toMatchObject({ seq: 4, applied: 4, duplicates: 0, gaps: 1, verified: 4 });
  });

  test("of a pipeline that is new to the page are followed from the first", () => {
    const other = new Log("other", "google_drive");
    store.enqueue([other.start("x"), other.complete("x")]);
    store.flush();
    expect(store.pipelineIds()).toEqual(["docs", "other"]);
    expect(store.audit().other).toMatchObject({ baseline: 0, seq: 2, digest: other.digest });
  });

  test("of another epoch ask for a snapshot", () => {
    log.startNewEpoch();
    store.enqueue([log.start("a")]);
    store.flush();
    expect(troubles).toEqual(["other-epoch"]);
    store.settle(ack({ recovered: false }));
    expect(audit()).toMatchObject({ seq: 1, baseline: 1, resyncs: 1, digest: log.digest });
  });
});

describe("verification", () => {
  test("moves on when the server's digest agrees, also when it is heard ahead of the events", () => {
    const event = log.start("a");
    store.enqueue([log.heartbeat()]);
    store.flush();
    expect(audit()?.verified).toBe(0);
    store.enqueue([event]);
    store.flush();
    expect(audit()?.verified).toBe(1);
  });

  test("that fails asks for a snapshot", () => {
    store.enqueue([log.start("a"), log.heartbeat(1, "0".repeat(64))]);
    store.flush();
    expect(troubles).toEqual(["digest"]);
  });

  test("notices a silent lag", () => {
    log.start("a");
    store.enqueue([log.heartbeat()]);
    store.flush();
    expect(troubles).toEqual(["behind"]);
  });
});

describe("snapshots", () => {
  test("that run ahead of events give their counts and move nothing else", () => {
    store.enqueue([log.start("a")]);
    store.flush();
    const late = [log.complete("a"), log.start("b")];
    store.takeSnapshot(log.status());
    expect(audit()?.seq).toBe(1);
    expect(store.pipeline(log.id)?.counts.completed).toBe(1);
    store.enqueue(late);
    store.flush();
    expect(audit()).toMatchObject({ seq: 3, applied: 3, duplicates: 0 });
    expect(store.pipeline(log.id)?.counts).toEqual(log.status().counts);
  });

  test("that are older are ignored", () => {
    const old = log.status();
    store.enqueue([log.start("a")]);
    store.flush();
    store.takeSnapshot(old);
    expect(store.pipeline(log.id)?.counts.processing).toBe(1);
  });
});

describe("summaries", () => {
  const counts = () => store.pipeline(log.id)?.counts;

  test("give what no event tells: queued files, failures, throughput, standings", () => {
    store.enqueue([log.start("a")]);
    log.queued = 3;
    log.standings = [{ id: "a", standing: "lost", moved_at: "2026-01-01T00:00:00Z" }];
    log.failures = [failure];
    store.enqueue([log.summary()]);
    store.flush();
    expect(counts()).toMatchObject({ queued: 3, processing: 1 });
    expect(store.file(log.id, "a")).toMatchObject({ standing: "lost", moved_at: "2026-01-01T00:00:00Z" });
    expect(store.pipeline(log.id)).toMatchObject({ failures: [failure], throughput: { bucket_seconds: 60 } });
    log.standings = [];
    store.enqueue([log.summary()]);
    store.flush();
    expect(store.file(log.id, "a")?.standing).toBe("processing");
  });

  test("that are late are moved on by the events after them", () => {
    log.queued = 2;
    const late = log.summary();
    log.queued = 0;
    store.enqueue([log.start("a"), log.complete("a"), log.start("b"), late]);
    store.flush();
    expect(counts()).toEqual({ ...log.status().counts, queued: 0 });
    expect(audit()).toMatchObject({ seq: 3, gaps: 0 });
  });

  test("that are older than another statement change nothing", () => {
    const old = { ...log.summary(), failures: [failure], counts: { ...log.status().counts, failed: 9 } };
    store.enqueue([log.start("a"), log.summary(), old]);
    store.flush();
    expect(counts()).toEqual(log.status().counts);
    expect(store.pipeline(log.id)?.failures).toEqual([]);
  });

  test("that are ahead include the events still to come", () => {
    const [start, complete] = [log.start("a"), log.complete("a")];
    log.queued = 4;
    store.enqueue([log.summary(), start, complete]);
    store.flush();
    expect(counts()).toEqual(log.status().counts);
    expect(troubles).toEqual(["behind"]);
    expect(audit()?.verified).toBe(2);
  });
});

const failure = {
  state: "failed" as const,
  code: "broken",
  stage: null,
  count: 1,
  message: "It is broken.",
  retryable: false,
  next_attempt_at: null,
  is_common: true,
  what_to_do: "Repair it.",
};

describe("files that return to the queue without an event", () => {
  beforeEach(() => {
    store.enqueue([log.start("a"), log.start("b")]);
    store.flush();
    log.released.add("a");
  });

  const expectReleased = () => {
    expect(store.pipeline(log.id)?.processing).toEqual(["b"]);
    expect(store.file(log.id, "a")).toMatchObject({ state: "queued", processing_stage: null });
    expect(store.pipeline(log.id)?.counts).toEqual(log.status().counts);
  };

  test("are noticed by a summary, and told by a snapshot", () => {
    store.enqueue([log.summary()]);
    store.flush();
    expect(troubles).toEqual(["released"]);
    store.settle(ack());
    expectReleased();
    expect(audit()?.resyncs).toBe(0);
  });

  test("are told by an event that carries the status", () => {
    const paused = { code: "embedding_rejected", message: "Refused.", since: "2026-01-01T00:00:00Z" };
    store.enqueue([log.append({ type: "status:update", changes: { paused }, current_status: log.status() })]);
    store.flush();
    expectReleased();
  });
});

test("a subscription to all pipelines forgets those that are gone", () => {
  const [other, drive] = [new Log("other"), new Log("drive", "google_drive")];
  for (const each of [other, drive]) store.replace(each.status());
  store.settle(ack(), true);
  expect(store.pipelineIds()).toEqual(["docs"]);
});

describe("progress", () => {
  test("changes one file and nothing else", () => {
    store.enqueue([log.start("a"), log.start("b")]);
    store.flush();
    const before = store.pipeline(log.id);
    const other = store.file(log.id, "b");
    store.enqueue([log.progress("a", 0.4)]);
    store.flush();
    expect(store.file(log.id, "a")).toMatchObject({ progress: 0.4, processing_stage: "embedding" });
    expect(store.pipeline(log.id)).toBe(before);
    expect(store.file(log.id, "b")).toBe(other);
  });

  test("of an attempt that is over is ignored", () => {
    store.enqueue([
      log.start("a", 1),
      log.fail("a", new Date(Date.now() + 1e6).toISOString()),
      log.start("a", 2),
    ]);
    store.enqueue([log.progress("a", 0.9, 1)]);
    store.flush();
    expect(store.file(log.id, "a")).toMatchObject({ attempt: 2, progress: 0 });
  });
});

test("a failure that will be retried leaves the file queued", () => {
  const status = log.status();
  store.replace({ ...status, counts: { ...status.counts, queued: 2 } });
  store.enqueue([
    log.start("a"),
    log.fail("a", new Date(Date.now() + 1e6).toISOString()),
    log.start("b"),
    log.fail("b"),
  ]);
  store.flush();
  expect(store.file(log.id, "a")?.state).toBe("queued");
  expect(store.pipeline(log.id)?.counts).toMatchObject({ queued: 1, failed: 1, processing: 0 });
  expect(store.pipeline(log.id)?.facts.total_failed).toBe(1);
});

test("what is remembered is bounded", () => {
  for (let file = 0; file < 5_000; file += 1)
    store.enqueue([log.start(`f${file}`), log.complete(`f${file}`)]);
  store.flush();
  expect(store.pipeline(log.id)?.events.length).toBeLessThanOrEqual(500);
  expect(store.file(log.id, "f0")).toBeUndefined();
  expect(store.file(log.id, "f4999")?.state).toBe("completed");
});
