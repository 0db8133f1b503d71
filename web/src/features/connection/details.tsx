"use client";
import type { ReactNode } from "react";
import { Freshness } from "@/components/live/freshness";
import { Button } from "@/components/ui/button";
import { count, plural } from "@/components/ui/format";
import { Moment } from "@/components/ui/time";
import type { SocketTest } from "@/contract/types";
import type { ConnectionState } from "@/client/connection";
import { useConnection, usePipelines } from "@/react/hooks";
import { useClient } from "@/react/provider";
import { useSocketTest } from "@/react/queries";

const TITLES: Record<ConnectionState, string> = {
  connecting: "Connecting",
  live: "Live over WebSocket",
  polling: "Polling over HTTP",
  stale: "Not current",
  offline: "Offline",
  signed_out: "Signed out",
};

export default function ConnectionDetails() {
  const connection = useConnection();
  const client = useClient();
  usePipelines();
  const audit = Object.entries(client.store.audit());
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
        <Fact name="Complete">
          <Freshness />
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
        <Fact name="Repaired">
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
        <button
          type="button"
          role="switch"
          aria-checked={connection.preferPolling}
          aria-label="Prefer polling"
          onClick={() => client.preferPolling(!connection.preferPolling)}
          className="group h-[18px] w-8 shrink-0 rounded-full bg-line-strong p-[2px] transition-colors aria-checked:bg-accent"
        >
          <span className="block size-[14px] rounded-full bg-white shadow-sm transition-transform duration-150 group-aria-checked:translate-x-[14px]" />
        </button>
      </div>
      <TestConnection offline={connection.state === "offline" || connection.state === "stale"} />
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

function TestConnection({ offline }: { offline: boolean }) {
  const client = useClient();
  const pipelineType = usePipelines()[0]?.type ?? "local_files";
  const test = useSocketTest(pipelineType);
  const { ok, text } = outcome(test.data?.body ?? null, test.error?.message ?? null);
  return (
    <div className="border-t px-4 py-3">
      <div className="flex gap-2">
        <Button onClick={() => test.mutate()} disabled={test.isPending} className="flex-1">
          {test.isPending ? "Testing…" : "Test connection"}
        </Button>
        {offline && (
          <Button onClick={() => client.retryNow()} className="flex-1">
            Try now
          </Button>
        )}
      </div>
      <p role="status" className={ok ? "mt-2 text-xs text-muted empty:hidden" : "mt-2 text-xs text-failed"}>
        {text}
      </p>
    </div>
  );
}

function outcome(answer: SocketTest | null, refusal: string | null): { ok: boolean; text: string | null } {
  if (refusal !== null) return { ok: false, text: refusal };
  if (!answer) return { ok: true, text: null };
  if (!answer.success) return { ok: false, text: answer.error ?? "The round trip failed." };
  const clients = answer.server_info ? ` · ${count(answer.server_info.connected_clients)} connected` : "";
  const over = answer.transport ?? "WebSocket";
  return { ok: true, text: `Round trip in ${Math.round(answer.latency ?? 0)} ms over ${over}${clients}.` };
}
