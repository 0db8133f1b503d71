import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Client } from "../client";
import { clock } from "../clock";
import type { ConnectionState } from "../connection";
import { TIMING, type Timing } from "../timing";
import { Servers } from "./servers";

const DEADLINE_MS = 30_000;
/** Pauses that no test is about are short. */
const QUICK: Timing = {
  ...TIMING,
  socketRetry: { firstMs: 200, longestMs: 15_000 },
  pollRetry: { firstMs: 100, longestMs: 10_000 },
  longPollSeconds: 1,
  lagGraceMs: 200,
  wakeProbeMs: 300,
};
let servers: Servers;
let client: Client;

beforeEach(async () => {
  servers = new Servers();
  await servers.start();
  client = newClient();
});

afterEach(async () => {
  client.stop();
  await servers.stop();
});

function newClient({
  preferPolling = false,
  timing = QUICK,
  secret = null as string | null,
  choices = new Map<string, string>(),
} = {}): Client {
  if (preferPolling) choices.set("raglive.prefer-polling", "yes");
  return new Client({
    base: servers.url,
    schedule: (run) => setTimeout(run, 5),
    hidden: () => false,
    choices: {
      get: (key) => choices.get(key) ?? null,
      set: (key, value) => (value === null ? choices.delete(key) : choices.set(key, value)),
    },
    tabSecrets: { get: () => null, set: () => undefined },
    takeSignInSecret: () => secret,
    timing,
  });
}

/** Waits for a condition on the connection or the store. */
function until(condition: () => boolean, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stops = [client.onConnection(check), client.store.subscribe(check)];
    const timer = setTimeout(
      () =>
        finish(() =>
          reject(
            new Error(
              `${what}; ${client.connection.state} ${client.connection.reason.code} ${JSON.stringify(client.store.audit())}`,
            ),
          ),
        ),
      DEADLINE_MS,
    );
    function finish(how: () => void) {
      clearTimeout(timer);
      for (const stop of stops) stop();
      how();
    }
    function check() {
      if (condition()) finish(resolve);
    }
    check();
  });
}

const state = (wanted: ConnectionState) =>
  until(() => client.connection.state === wanted, `wanted ${wanted}`);
const caughtUp = () => until(() => audit()?.digest === servers.log.digest, "wanted the server's digest");
const audit = () => client.store.audit()[servers.log.id];

function work(files: number, from = 0): void {
  const { log } = servers;
  for (let file = from; file < from + files; file += 1) {
    servers.publish(log.start(`f${file}`));
    servers.publish(log.progress(`f${file}`, 0.5), log.complete(`f${file}`));
  }
}

async function expectExact(): Promise<void> {
  await caughtUp();
  const { log } = servers;
  expect(audit()).toMatchObject({ seq: log.seq, applied: log.seq - (audit()?.baseline ?? 0), gaps: 0 });
  expect(client.store.pipeline(log.id)?.counts).toEqual(log.status().counts);
}

test("a one-time secret signs in before any other request; a used one keeps the token", async () => {
  const choices = new Map<string, string>();
  for (const refusal of [null, "It has been used."]) {
    client = newClient({ secret: "secret", choices });
    client.start();
    await until(() => client.connection.state === "live", "it is not live");
    expect(client.refusedSecret).toBe(refusal);
    client.stop();
  }
  expect([...servers.tokens]).toEqual(["Bearer of-the-secret"]);
  client.signOut();
  expect(client.hasToken()).toBe(false);
});

test("goes live, and receives every event", async () => {
  work(3);
  client.start();
  await state("live");
  expect(audit()).toMatchObject({ baseline: 6, verified: 6 });
  work(20, 3);
  await expectExact();
  expect(audit()).toMatchObject({ applied: 40, duplicates: 0 });
  await until(() => client.connection.latencyMs !== null, "wanted a latency");
});

test(
  "a killed status server: polling within 3 s, back by itself, and nothing lost or doubled",
  { timeout: 40_000 },
  async () => {
    client.start();
    await state("live");
    work(5);
    const killedAt = clock.now();
    await servers.killSocket();
    await state("polling");
    expect(clock.now() - killedAt).toBeLessThan(3_000);
    work(5, 5);
    await expectExact();
    await servers.startSocket();
    client.retryNow();
    await state("live");
    work(5, 10);
    await expectExact();
    expect(audit()).toMatchObject({ applied: 30, duplicates: 0, resyncs: 0 });
    expect(client.connection).toMatchObject({ reconnects: 1, fallbacks: 1 });
  },
);

test("comes back without being asked", { timeout: 40_000 }, async () => {
  client.start();
  await state("live");
  await servers.killSocket();
  await state("polling");
  await servers.startSocket();
  await state("live");
});

test("is told by the answers to its polls that the status server is back", { timeout: 60_000 }, async () => {
  client = newClient({ timing: { ...QUICK, socketRetry: { firstMs: 15_000, longestMs: 15_000 } } });
  client.start();
  await state("live");
  const killedAt = clock.now();
  await servers.killSocket();
  await until(() => (client.connection.retryAt ?? 0) - Date.now() > 7_000, "wanted a long pause");
  await until(() => (client.connection.completeAt ?? 0) >= killedAt, "wanted an answer to a poll");
  await servers.startSocket();
  const startedAt = Date.now();
  await state("live");
  expect(Date.now() - startedAt).toBeLessThan(6_000);
});

test("polls from the start when there is no status server, and long-polls when idle", async () => {
  await servers.killSocket();
  client.start();
  await state("polling");
  expect(client.connection.reason.code).toBe("socket_unavailable");
  work(4);
  await expectExact();
  await until(() => servers.polls > 0, "wanted polls");
  const before = servers.polls;
  servers.publish(servers.log.start("x"), servers.log.complete("x"));
  await expectExact();
  expect(servers.polls - before).toBeLessThan(10);
});

test("polls when that is preferred, and stops when it is not any more", async () => {
  client = newClient({ preferPolling: true });
  client.start();
  await state("polling");
  expect(client.connection.reason.code).toBe("preferred");
  client.preferPolling(false);
  await state("live");
  client.preferPolling(true);
  await state("polling");
  work(2);
  await expectExact();
});

test("is offline when nothing answers, keeps what it knows, and returns", { timeout: 40_000 }, async () => {
  client.start();
  await state("live");
  work(2);
  await expectExact();
  await servers.stop();
  await state("offline");
  expect(audit()?.seq).toBe(4);
  await servers.start();
  await until(() => client.connection.state !== "offline", "wanted a connection");
  work(2, 2);
  await expectExact();
});

test("live, learns of queued files and standings from summaries and asks nothing", async () => {
  client.start();
  await state("live");
  const { log } = servers;
  servers.publish(log.start("slow"));
  await caughtUp();
  const asked = servers.requests.length;
  log.queued = 7;
  log.standings = [{ id: "slow", standing: "stuck", moved_at: null }];
  servers.publish(log.summary());
  await until(() => client.store.pipeline(log.id)?.counts.queued === 7, "wanted the queued files");
  expect(client.store.file(log.id, "slow")?.standing).toBe("stuck");
  servers.publish(log.complete("slow"));
  await expectExact();
  expect(servers.requests.slice(asked)).toEqual([]);
});

test("heals a lost event from the cursor", async () => {
  client.start();
  await state("live");
  servers.log.start("lost");
  work(1);
  await caughtUp();
  expect(audit()).toMatchObject({ applied: 3, gaps: 1, duplicates: 0, resyncs: 0 });
});

test("heals a silent lag that a heartbeat reveals", async () => {
  client.start();
  await state("live");
  servers.log.start("lost");
  servers.publish(servers.log.heartbeat());
  await caughtUp();
  expect(audit()).toMatchObject({ applied: 1, resyncs: 0, verified: 1 });
});

test("takes a snapshot when digests disagree", async () => {
  client.start();
  await state("live");
  work(1);
  await caughtUp();
  servers.publish(servers.log.heartbeat(2, "f".repeat(64)));
  await until(() => audit()?.resyncs === 1, "wanted a resync");
  expect(audit()?.digest).toBe(servers.log.digest);
});

describe("when the cursor is no use", () => {
  test("polling starts over", async () => {
    await servers.killSocket();
    client.start();
    await state("polling");
    await servers.killDashboard();
    await state("offline");
    work(3);
    servers.oldestSeq = 5;
    await servers.startDashboard();
    await caughtUp();
    expect(audit()).toMatchObject({ baseline: 6, resyncs: 1 });
  });

  test("a log of another epoch replaces the old", { timeout: 40_000 }, async () => {
    client.start();
    await state("live");
    work(2);
    await expectExact();
    await servers.killSocket();
    servers.log.startNewEpoch();
    work(1);
    await servers.startSocket();
    client.retryNow();
    await caughtUp();
    await state("live");
    expect(audit()?.seq).toBe(2);
  });
});

test("a server that drains is left at once and returned to when it says", { timeout: 20_000 }, async () => {
  client.start();
  await state("live");
  servers.tell("server:draining", { retry_in: 600 });
  await state("polling");
  expect(client.connection.reason.code).toBe("server_draining");
  await state("live");
  work(2);
  await expectExact();
});

test("a connection that no longer answers is given up", { timeout: 30_000 }, async () => {
  client.start();
  await state("live");
  await until(() => client.connection.latencyMs !== null, "wanted a latency");
  servers.answersPings = false;
  client.wake();
  await state("polling");
  expect(client.connection.reason.code).toBe("socket_silent");
  work(2);
  await expectExact();
});

test("a status server that is behind the log is left for polling", { timeout: 30_000 }, async () => {
  servers.lagMs = 60_000;
  client.start();
  await state("polling");
  expect(client.connection.reason.code).toBe("socket_behind");
  work(2);
  await expectExact();
});
