"use client";
import { CircleX } from "lucide-react";
import { Link } from "@/components/ui/link";
import { CountBar, CountLegend, totalOf } from "@/components/live/count-bar";
import { Freshness } from "@/components/live/freshness";
import { HealthLabel, useHealth } from "@/components/live/health";
import { useHeldCount } from "@/components/live/held";
import { noFilesYet } from "@/components/live/no-files";
import { Spending } from "@/components/live/spending";
import { SourceIcon } from "@/components/ui/file-icon";
import { count, plural, roughly } from "@/components/ui/format";
import { fileHref, pipelineHref } from "@/components/ui/links";
import { useNow } from "@/components/ui/now";
import { Prose } from "@/components/ui/prose";
import { Moment } from "@/components/ui/time";
import { useLiveFile } from "@/react/hooks";
import type { PipelineState } from "@/client/pipeline-state";
import { minutesOf, secondsLeft } from "./estimate";
import { Sparkline } from "./sparkline";
import { visible } from "@/components/ui/visible";

export function PipelineCard({ state }: { state: PipelineState }) {
  const health = useHealth(state);
  const total = totalOf(state.counts);
  const held = useHeldCount(state);
  return (
    <article
      data-testid="pipeline-card"
      data-pipeline-id={state.id}
      data-health={health}
      className="relative flex flex-col rounded-xl border bg-surface transition-colors duration-150 focus-within:border-line-strong hover:border-line-strong"
    >
      <div className="flex items-start gap-2.5 px-4 pt-3.5">
        <span className="mt-0.5">
          <SourceIcon type={state.type} size={16} />
        </span>
        <div className="min-w-0 flex-1">
          <h2 className="truncate text-base font-medium">
            <Link
              href={pipelineHref(state.id)}
              className="after:absolute after:inset-0 after:rounded-xl focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-accent"
            >
              {state.id}
            </Link>
          </h2>
          <p
            className="truncate font-mono text-xs text-faint"
            title={visible(state.facts.watch_location ?? "")}
          >
            {visible(state.facts.watch_location ?? state.type)}
          </p>
        </div>
        <div className="shrink-0 text-right">
          <HealthLabel health={health} />
          <Freshness className="block text-xs text-faint" />
        </div>
      </div>
      {state.facts.problem && (
        <p className="mx-4 mt-2 [overflow-wrap:anywhere] text-failed">
          <Prose text={state.facts.problem.message} />
        </p>
      )}
      {state.facts.paused && !state.facts.problem && state.facts.status === "online" && (
        <p className="mx-4 mt-2 text-waiting">{visible(state.facts.paused.message)}</p>
      )}
      <div className="px-4 pt-4 pb-3.5">
        {total === 0 ? (
          <p className="text-muted">No files yet. {noFilesYet(state)}</p>
        ) : (
          <>
            <CountBar counts={state.counts} className="mb-3" />
            <CountLegend counts={state.counts} held={held} />
          </>
        )}
      </div>
      <Pace state={state} />
      <LastFailure state={state} />
    </article>
  );
}

function Pace({ state }: { state: PipelineState }) {
  const now = useNow();
  const minutes = minutesOf(state, now);
  const done = minutes.reduce((sum, { completed }) => sum + completed, 0);
  const left = secondsLeft(state);
  const next = state.facts.next_check_time;
  return (
    <div className="mt-auto flex items-end justify-between gap-6 border-t px-4 py-3">
      <div className="min-w-0">
        <p className="num">
          <span className="font-medium">{count(done)}</span>{" "}
          <span className="text-muted">in the last 30 min</span>
        </p>
        <p className="num truncate text-xs text-faint">
          {left !== null ? (
            `about ${roughly(left)} left at this pace`
          ) : (
            <>
              last change <Moment at={state.facts.last_activity} />
              {next && state.facts.status === "online" && Date.parse(next) > now && (
                <span className="hidden sm:inline">
                  {" · "}next check <Moment at={next} />
                </span>
              )}
            </>
          )}
        </p>
        <Spending throughput={state.throughput} className="truncate text-xs text-faint" />
      </div>
      <Sparkline minutes={minutes} />
    </div>
  );
}

function LastFailure({ state }: { state: PipelineState }) {
  const failed = state.counts.failed ?? 0;
  const file = useLiveFile(state.id, state.failed[0] ?? "");
  if (failed === 0) return null;
  return (
    <div className="relative z-10 flex min-w-0 items-center gap-2 border-t px-4 py-2">
      <CircleX size={14} aria-hidden className="shrink-0 text-failed" />
      {file?.error ? (
        <Link href={fileHref(state.id, file.id)} className="min-w-0 flex-1 truncate hover:underline">
          <span className="font-medium">{visible(file.name)}</span>
          <span className="text-muted"> — {visible(file.error.message)}</span>
        </Link>
      ) : (
        <span className="flex-1 text-muted">{plural(failed, "file")} failed</span>
      )}
      <Link
        href={pipelineHref(state.id, { state: "failed" })}
        className="shrink-0 text-accent hover:underline"
        data-testid="failed-link"
      >
        {count(failed)} failed
      </Link>
    </div>
  );
}
