"use client";
import {
  CircleCheck,
  CirclePause,
  CircleSlash2,
  CircleStop,
  Clock,
  LoaderCircle,
  RefreshCw,
  TriangleAlert,
  type LucideIcon,
} from "lucide-react";
import { classes } from "@/components/ui/classes";
import { useNow } from "@/components/ui/now";
import { useSteady } from "@/components/ui/steady";
import type { PipelineState } from "@/client/pipeline-state";

export type Health =
  "problem" | "offline" | "silent" | "paused" | "working" | "checking" | "watching" | "publishing" | "ended";

interface Look {
  word: string;
  icon: LucideIcon;
  tone: string;
  spins?: boolean;
}

const LOOKS: Record<Health, Look> = {
  problem: { word: "Needs attention", icon: TriangleAlert, tone: "text-failed" },
  offline: { word: "Offline", icon: CircleSlash2, tone: "text-failed" },
  silent: { word: "Not heard from", icon: Clock, tone: "text-waiting" },
  paused: { word: "Paused", icon: CirclePause, tone: "text-waiting" },
  working: { word: "Working", icon: LoaderCircle, tone: "text-processing", spins: true },
  checking: { word: "Checking for changes", icon: RefreshCw, tone: "text-processing", spins: true },
  watching: { word: "Watching", icon: CircleCheck, tone: "text-completed" },
  publishing: { word: "Online", icon: CircleCheck, tone: "text-completed" },
  ended: { word: "Ended", icon: CircleStop, tone: "text-muted" },
};

const SILENT_AFTER_MS = 90_000;

export function healthOf(state: PipelineState, now: number): Health {
  const { facts, counts } = state;
  if (facts.problem) return "problem";
  if (facts.status === "offline") return facts.managed ? "offline" : endingOf(facts);
  if (!isHeard(state, now)) return "silent";
  if (facts.paused) return "paused";
  if (counts.processing > 0 || counts.queued > counts.waiting) return "working";
  if (!facts.managed) return "publishing";
  return facts.is_checking ? "checking" : "watching";
}

function isHeard({ facts, isActive }: PipelineState, now: number): boolean {
  if (isActive !== null) return isActive || !facts.last_heartbeat;
  return !facts.last_heartbeat || now - Date.parse(facts.last_heartbeat) <= SILENT_AFTER_MS;
}

/** A producer outside raglive may end when its work is done, and may send no heartbeats between its events. */
function endingOf({ offline_reason }: PipelineState["facts"]): Health {
  if (offline_reason === "error") return "offline";
  return offline_reason === "normal_shutdown" ? "ended" : "silent";
}

export function useHealth(state: PipelineState): Health {
  return useSteady(healthOf(state, useNow()));
}

export function needsAttention(health: Health): boolean {
  return health === "problem" || health === "offline" || health === "silent" || health === "paused";
}

export function HealthLabel({ health, className }: { health: Health; className?: string }) {
  const { word, icon: Icon, tone, spins } = LOOKS[health];
  return (
    <span
      className={classes("inline-flex items-center gap-1.5 font-medium whitespace-nowrap", tone, className)}
    >
      <Icon
        size={14}
        aria-hidden
        className={classes("shrink-0", spins && "animate-[spin_1.8s_linear_infinite]")}
      />
      {word}
    </span>
  );
}
