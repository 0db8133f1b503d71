"use client";
import { useState, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { Toggle } from "@/components/ui/floating";
import { count, plural } from "@/components/ui/format";
import { Moment } from "@/components/ui/time";
import type { SocketTest } from "@/contract/types";
import { client, preferPolling } from "@/realtime/client";
import type { ConnectionState } from "@/realtime/connection";
import { useConnection, usePipelineIds } from "@/realtime/hooks";
import { ApiError } from "@/realtime/http";

const TITLES: Record<ConnectionState, string> = {
  connecting: "Connecting",
  live: "Live over WebSocket",
  polling: "Polling over HTTP",
  offline: "Offline",
};

export function ConnectionDetails() {
  const connection = useConnection();
  usePipelineIds();
  const audit = Object.entries(client().store.audit());
  const sum = (key: "applied" | "duplicates" | "gaps" | "resyncs") =>
    count(audit.reduce((total, [, pipeline]) => total + pipeline[key], 0));
  return (
    <div>
      <div className="px-4 pt-3.5 pb-3">
        <p className="font-medium">{TITLES[connection.state]}</p>
        <p className="text-muted text-pretty">{connection.reason.message}</p>
      </div>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 border-t px-4 py-3 text-xs">
        <Fact name="Since">
          <Moment at={connection.since} />
        </Fact>
        <Fact name="Round trip">
          {connection.latencyMs === null ? "–" : `${connection.latencyMs.toFixed(1)} ms`}
        </Fact>
        <Fact name="Last heard">
          <Moment at={connection.heardAt} />
        </Fact>
        {connection.retryAt !== null && (
          <Fact name="WebSocket again">
            <Moment at={new Date(connection.retryAt).toISOString()} />
          </Fact>
        )}
        {connection.url && (
          <Fact name="Status server">
            <span className="font-mono">{connection.url}</span>
          </Fact>
        )}
        <Fact name="Reconnects">
          {count(connection.reconnects)} · {plural(connection.fallbacks, "fallback")}
        </Fact>
        <Fact name="Events">
          {sum("applied")} applied · {sum("duplicates")} repeated
        </Fact>
        <Fact name="Healed">
          {sum("gaps")} gaps · {sum("resyncs")} resyncs
        </Fact>
        {audit.map(([id, pipeline]) => (
          <Fact key={id} name={id}>
            <span className="font-mono" title={pipeline.cursor}>
              #{count(pipeline.seq)}
            </span>
          </Fact>
        ))}
      </dl>
      <div className="flex items-center justify-between gap-3 border-t px-4 py-2.5">
        <span>
          Prefer polling
          <span className="block text-xs text-faint">Remembered on this device</span>
        </span>
        <Toggle checked={connection.preferPolling} onChange={preferPolling} label="Prefer polling" />
      </div>
      <TestConnection offline={connection.state === "offline"} />
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="max-w-36 truncate text-faint">{name}</dt>
      <dd className="num truncate text-right">{children}</dd>
    </>
  );
}

type Outcome = { kind: "none" } | { kind: "running" } | { kind: "ok" | "bad"; text: string };

function TestConnection({ offline }: { offline: boolean }) {
  const [outcome, setOutcome] = useState<Outcome>({ kind: "none" });
  const run = async () => {
    setOutcome({ kind: "running" });
    setOutcome(await testConnection());
  };
  return (
    <div className="border-t px-4 py-3">
      <div className="flex gap-2">
        <Button onClick={() => void run()} disabled={outcome.kind === "running"} className="flex-1">
          {outcome.kind === "running" ? "Testing…" : "Test connection"}
        </Button>
        {offline && (
          <Button onClick={() => client().engine.retryNow()} className="flex-1">
            Try now
          </Button>
        )}
      </div>
      <p
        role="status"
        className={
          outcome.kind === "bad" ? "mt-2 text-xs text-failed" : "mt-2 text-xs text-muted empty:hidden"
        }
      >
        {"text" in outcome ? outcome.text : null}
      </p>
    </div>
  );
}

async function testConnection(): Promise<Outcome> {
  const type =
    client()
      .store.pipelineIds()
      .map((id) => client().store.pipeline(id)?.type)[0] ?? "local_files";
  try {
    const { body } = await client().http.request<SocketTest>("/api/socket/test", {
      body: { pipelineType: type },
    });
    if (!body?.success) return { kind: "bad", text: body?.error ?? "The round trip failed." };
    const clients = body.server_info ? ` · ${count(body.server_info.connected_clients)} connected` : "";
    return {
      kind: "ok",
      text: `Round trip in ${Math.round(body.latency ?? 0)} ms over ${body.transport ?? "WebSocket"}${clients}.`,
    };
  } catch (error) {
    return { kind: "bad", text: error instanceof ApiError ? error.message : String(error) };
  }
}
