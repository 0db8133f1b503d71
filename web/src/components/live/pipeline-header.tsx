"use client";
import { CirclePause, FileStack, ScrollText, SearchX } from "lucide-react";
import { useEffect, type ReactNode } from "react";
import { SourceIcon } from "@/components/ui/file-icon";
import { buttonClass } from "@/components/ui/button";
import { classes } from "@/components/ui/classes";
import { Link } from "@/components/ui/link";
import { eventsHref, OVERVIEW_HREF, pipelineHref } from "@/components/ui/links";
import { Banner, Empty } from "@/components/ui/notice";
import { Prose } from "@/components/ui/prose";
import { Skeleton } from "@/components/ui/section";
import { Moment } from "@/components/ui/time";
import { useConnection, usePipeline } from "@/react/hooks";
import type { PipelineState } from "@/client/pipeline-state";
import { Freshness } from "./freshness";
import { HealthLabel, useHealth } from "./health";
import { Spending } from "./spending";
import { visible } from "@/components/ui/visible";

interface PipelineFrameProps {
  id: string;
  tab: "files" | "events";
  children: (state: PipelineState) => ReactNode;
}

/** The frame of a pipeline's pages: its header, or a notice that the pipeline is unknown. */
export function PipelineFrame({ id, tab, children }: PipelineFrameProps) {
  const state = usePipeline(id);
  const { state: connection } = useConnection();
  useEffect(() => {
    document.title = id === "" ? "raglive" : `${id} · raglive`;
  }, [id]);
  if (id === "")
    return (
      <Empty icon={SearchX} title="No pipeline is chosen" action={<AllPipelines />} className="py-24">
        Choose one from the list above, or add <code className="font-mono text-xs">?pipeline=…</code> to the
        address.
      </Empty>
    );
  if (!state)
    return connection === "connecting" || connection === "offline" ? (
      <FrameSkeleton />
    ) : (
      <Empty
        icon={SearchX}
        title="There is no such pipeline, or you may not see it"
        action={<AllPipelines />}
        className="py-24"
      >
        No pipeline is called <code className="font-mono text-xs">{id}</code>. Choose one from the list above.
      </Empty>
    );
  return (
    <div data-stales>
      <PipelineHead state={state} tab={tab} />
      {children(state)}
    </div>
  );
}

function AllPipelines() {
  return (
    <Link href={OVERVIEW_HREF} className={buttonClass()}>
      All pipelines
    </Link>
  );
}

const START_IT =
  "Start it again with `raglive up`, or the way it was started before. Its log says why it stopped.";
const START_ITS_PRODUCER =
  "raglive does not run this pipeline. Ask the log of the program that publishes it why it stopped.";

function PipelineHead({ state, tab }: { state: PipelineState; tab: "files" | "events" }) {
  const { facts } = state;
  const health = useHealth(state);
  return (
    <div>
      <div className="flex flex-wrap items-start gap-x-6 gap-y-2">
        <div className="min-w-0 flex-1 basis-72">
          <h1 className="flex items-center gap-2 text-[18px] leading-7 font-semibold tracking-[-0.01em]">
            <SourceIcon type={state.type} size={18} />
            <span className="truncate" data-testid="pipeline-title">
              {state.id}
            </span>
          </h1>
          <p className="truncate font-mono text-xs text-faint" title={visible(facts.watch_location ?? "")}>
            {visible(facts.watch_location ?? state.type)}
          </p>
        </div>
        <div className="sm:text-right" data-testid="pipeline-health" data-health={health}>
          <HealthLabel health={health} />
          <p className="flex gap-1 text-xs text-faint sm:justify-end">
            <Freshness />
            <NextCheck state={state} />
          </p>
          <Spending throughput={state.throughput} className="text-xs text-faint" />
        </div>
      </div>
      {facts.problem && (
        <div className="mt-4">
          <Banner
            tone="failed"
            title={
              <>
                This pipeline needs attention, first noticed{" "}
                <Moment at={facts.problem.since} className="font-normal" />
              </>
            }
          >
            <Prose text={facts.problem.message} />
          </Banner>
        </div>
      )}
      {facts.paused && !facts.problem && facts.status === "online" && (
        <div className="mt-4" data-testid="paused" data-code={facts.paused.code}>
          <Banner
            tone="waiting"
            icon={CirclePause}
            title={
              <>
                Paused <Moment at={facts.paused.since} className="font-normal" />
              </>
            }
          >
            <p>{visible(facts.paused.message)}</p>
            {facts.paused.what_to_do && (
              <p className="mt-1" data-testid="what-to-do">
                <span className="font-medium">What to do: </span>
                <Prose text={facts.paused.what_to_do} />
              </p>
            )}
          </Banner>
        </div>
      )}
      {health === "offline" && (
        <div className="mt-4">
          <Banner tone="failed" title="This pipeline is not running">
            Last heard from <Moment at={facts.last_heartbeat} />.{" "}
            {facts.managed && "Changes in the source wait until it runs again."}
            <p className="mt-1" data-testid="what-to-do">
              <span className="font-medium">What to do: </span>
              <Prose text={facts.managed ? START_IT : START_ITS_PRODUCER} />
            </p>
          </Banner>
        </div>
      )}
      <nav aria-label="Views of this pipeline" className="mt-4 flex gap-5 border-b">
        <Tab href={pipelineHref(state.id)} active={tab === "files"}>
          <FileStack size={14} aria-hidden /> Files
        </Tab>
        <Tab href={eventsHref(state.id)} active={tab === "events"}>
          <ScrollText size={14} aria-hidden /> Events
        </Tab>
      </nav>
    </div>
  );
}

function NextCheck({ state }: { state: PipelineState }) {
  const next = state.facts.next_check_time;
  if (!next || state.facts.status !== "online") return null;
  return (
    <span>
      · next check <Moment at={next} className="num" />
    </span>
  );
}

function Tab({ href, active, children }: { href: string; active: boolean; children: ReactNode }) {
  return (
    <Link
      href={href}
      aria-current={active ? "page" : undefined}
      className={classes(
        "-mb-px inline-flex h-9 items-center gap-1.5 border-b-2",
        active ? "border-ink font-medium text-ink" : "border-transparent text-muted hover:text-ink",
      )}
    >
      {children}
    </Link>
  );
}

function FrameSkeleton() {
  return (
    <div aria-busy="true" aria-label="Loading">
      <Skeleton className="h-6 w-60" />
      <Skeleton className="mt-2 h-3 w-72" />
      <div className="mt-6 border-b pb-3">
        <Skeleton className="h-4 w-36" />
      </div>
      <div className="mt-6 space-y-5">
        {Array.from({ length: 8 }, (_, index) => (
          <Skeleton key={index} className="h-4 w-full" />
        ))}
      </div>
    </div>
  );
}
