"use client";
import { FolderPlus, ServerOff } from "lucide-react";
import { useMemo } from "react";
import { healthOf, needsAttention } from "@/components/live/health";
import { ProgressList, type Running } from "@/components/live/progress-list";
import { Button } from "@/components/ui/button";
import { currentTime } from "@/components/ui/now";
import { Empty } from "@/components/ui/notice";
import { Skeleton } from "@/components/ui/section";
import type { Connection } from "@/client/connection";
import { useConnection, usePipelines } from "@/react/hooks";
import { useClient } from "@/react/provider";
import type { PipelineState } from "@/client/pipeline-state";
import { PipelineCard } from "./pipeline-card";
import { NeedsYou } from "./needs-you";
import { Recent } from "./recent";
import { Summary } from "./summary";

/** All pipelines: whether they are alive, what is going on, and what needs the viewer. */
export function Overview() {
  const pipelines = usePipelines();
  const connection = useConnection();
  const running = useMemo(() => runningIn(pipelines), [pipelines]);
  if (pipelines.length === 0) return <Nothing connection={connection} />;
  return (
    <div data-stales className="space-y-7">
      <Summary pipelines={pipelines} />
      <div className="grid grid-cols-[repeat(auto-fit,minmax(min(100%,440px),1fr))] gap-4">
        {attentionFirst(pipelines).map((state) => (
          <PipelineCard key={state.id} state={state} />
        ))}
      </div>
      <div className="grid grid-cols-1 gap-x-10 gap-y-7 lg:grid-cols-2">
        <div className="min-w-0 space-y-7">
          <ProgressList running={running} limit={8} showPipeline={pipelines.length > 1} />
          <NeedsYou pipelines={pipelines} />
        </div>
        <Recent pipelines={pipelines} />
      </div>
    </div>
  );
}

function runningIn(pipelines: readonly PipelineState[]): Running[] {
  return pipelines.flatMap(({ id, processing }) => processing.map((fileId) => ({ pipelineId: id, fileId })));
}

function attentionFirst(pipelines: readonly PipelineState[]): PipelineState[] {
  const rank = (state: PipelineState) => (needsAttention(healthOf(state, currentTime())) ? 0 : 1);
  return [...pipelines].sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id));
}

function Nothing({ connection }: { connection: Connection }) {
  const client = useClient();
  if (connection.state === "offline")
    return (
      <Empty
        icon={ServerOff}
        title="The dashboard server cannot be reached"
        action={<Button onClick={() => client.retryNow()}>Try now</Button>}
      >
        {connection.reason.message} This page keeps trying. Check that raglive is running.
      </Empty>
    );
  if (connection.state === "connecting") return <OverviewSkeleton />;
  return (
    <Empty icon={FolderPlus} title="No pipeline to show">
      None has reported yet, or your token names none that has. Start one on a folder of documents, and it
      appears here:
      <code className="mt-3 block rounded-md border bg-surface px-3 py-2 font-mono text-xs text-ink">
        raglive up /path/to/folder
      </code>
    </Empty>
  );
}

function OverviewSkeleton() {
  return (
    <div aria-busy="true" aria-label="Loading" className="space-y-7">
      <div>
        <Skeleton className="h-8 w-56" />
        <Skeleton className="mt-2 h-4 w-72" />
      </div>
      <div className="grid grid-cols-[repeat(auto-fit,minmax(min(100%,440px),1fr))] gap-4">
        {[0, 1].map((index) => (
          <div key={index} className="rounded-xl border bg-surface p-4">
            <Skeleton className="h-4 w-44" />
            <Skeleton className="mt-2 h-3 w-64" />
            <Skeleton className="mt-6 h-1.5 w-full" />
            <Skeleton className="mt-4 h-4 w-80 max-w-full" />
            <Skeleton className="mt-6 h-8 w-full" />
          </div>
        ))}
      </div>
    </div>
  );
}
