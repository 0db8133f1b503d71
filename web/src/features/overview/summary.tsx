"use client";
import { CircleCheck, CirclePause, CloudOff, LoaderCircle, TriangleAlert } from "lucide-react";
import { classes } from "@/components/ui/classes";
import { count, plural, roughly } from "@/components/ui/format";
import { useNow } from "@/components/ui/now";
import { useSteady } from "@/components/ui/steady";
import { useAge } from "@/components/live/freshness";
import { healthOf, needsAttention, type Health } from "@/components/live/health";
import { useConnection } from "@/react/hooks";
import type { ConnectionState } from "@/client/connection";
import type { PipelineState } from "@/client/pipeline-state";
import { secondsLeft } from "./estimate";

interface Headline {
  text: string;
  tone: "good" | "busy" | "paused" | "bad" | "offline";
}

const LOOKS = {
  good: { icon: CircleCheck, tone: "text-completed" },
  busy: { icon: LoaderCircle, tone: "text-processing animate-[spin_1.8s_linear_infinite]" },
  paused: { icon: CirclePause, tone: "text-waiting" },
  bad: { icon: TriangleAlert, tone: "text-failed" },
  offline: { icon: CloudOff, tone: "text-failed" },
};

/** One line that says whether all is well. */
export function Summary({ pipelines }: { pipelines: readonly PipelineState[] }) {
  const now = useNow();
  const { state, since, completeAt } = useConnection();
  const age = useAge(completeAt);
  const { tone: wanted, text: words } = headline(pipelines, now, state);
  const [tone, text] = useSteady(`${wanted} ${words}`).split(/ (.*)/) as [Headline["tone"], string];
  const { icon: Icon, tone: color } = LOOKS[tone];
  const waiting = sum(pipelines, "queued") + sum(pipelines, "processing");
  const searchable = sum(pipelines, "completed");
  const online = pipelines.filter((pipeline) => pipeline.facts.status === "online").length;
  return (
    <div>
      <h1
        className="flex items-center gap-2.5 text-[22px] leading-8 font-semibold tracking-[-0.015em] text-balance"
        data-testid="headline"
      >
        <Icon size={22} aria-hidden className={classes("shrink-0", color)} />
        {text}
      </h1>
      <p className="num mt-0.5 text-base text-muted">
        {state === "offline" || state === "stale"
          ? `What you see is the state of ${roughly((age ?? now - since) / 1000)} ago.`
          : `${online === pipelines.length ? plural(online, "pipeline") : `${count(online)} of ${plural(pipelines.length, "pipeline")}`} online · ${plural(searchable, "file")} searchable${waiting > 0 && tone !== "busy" ? ` · ${count(waiting)} to go` : ""}`}
      </p>
    </div>
  );
}

function headline(pipelines: readonly PipelineState[], now: number, state: ConnectionState): Headline {
  if (state === "offline") return { text: "Not connected", tone: "offline" };
  if (state === "stale") return { text: "Not up to date", tone: "paused" };
  const troubled = pipelines.filter((pipeline) => needsAttention(healthOf(pipeline, now)));
  const [first] = troubled;
  if (first && troubled.length === 1)
    return { text: trouble(first, now), tone: isCalm(healthOf(first, now)) ? "paused" : "bad" };
  if (first) return { text: `${plural(troubled.length, "pipeline")} need attention`, tone: "bad" };
  const waiting = sum(pipelines, "waiting");
  const due = sum(pipelines, "queued") + sum(pipelines, "processing") - waiting;
  const failed = sum(pipelines, "failed");
  if (due > 0) {
    const left = Math.max(...pipelines.map((pipeline) => secondsLeft(pipeline) ?? 0));
    const time = left > 0 ? `, about ${roughly(left)} left` : "";
    return { text: `${plural(due, "file")} to go${time}`, tone: "busy" };
  }
  if (failed > 0)
    return { text: `${plural(failed, "file")} ${failed === 1 ? "needs" : "need"} you`, tone: "bad" };
  if (waiting > 0)
    return {
      text: `${plural(waiting, "file")} ${waiting === 1 ? "waits" : "wait"} to be tried again`,
      tone: "paused",
    };
  return { text: "All is well", tone: "good" };
}

function isCalm(health: Health): boolean {
  return health === "paused" || health === "silent";
}

function trouble(pipeline: PipelineState, now: number): string {
  const health = healthOf(pipeline, now);
  if (health === "offline") return `${pipeline.id} is offline`;
  if (health === "paused") return `${pipeline.id} is paused`;
  return health === "silent" ? `${pipeline.id} has gone quiet` : `${pipeline.id} needs attention`;
}

function sum(pipelines: readonly PipelineState[], state: keyof PipelineState["counts"]): number {
  return pipelines.reduce((total, pipeline) => total + (pipeline.counts[state] ?? 0), 0);
}
