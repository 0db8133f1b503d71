import {
  CircleCheck,
  CircleSlash,
  CircleX,
  Play,
  Power,
  PowerOff,
  SlidersHorizontal,
  Trash2,
  type LucideIcon,
} from "lucide-react";
import type { Event } from "@/contract/types";
import { attemptSeconds } from "./attempt-seconds";
import { classes } from "./classes";
import { duration, plural, words } from "./format";
import { STAGE_WORDS } from "./stage-progress";
import { visible } from "./visible";

type EventType = Event["type"];

interface Look {
  word: string;
  icon: LucideIcon;
  tone: string;
}

export const EVENT_LOOKS: Record<EventType, Look> = {
  "file:processing": { word: "Started", icon: Play, tone: "text-processing" },
  "file:progress": { word: "Progress", icon: Play, tone: "text-processing" },
  "file:completed": { word: "Completed", icon: CircleCheck, tone: "text-completed" },
  "file:failed": { word: "Failed", icon: CircleX, tone: "text-failed" },
  "file:skipped": { word: "Skipped", icon: CircleSlash, tone: "text-skipped" },
  "file:deleted": { word: "Deleted", icon: Trash2, tone: "text-muted" },
  "pipeline:online": { word: "Online", icon: Power, tone: "text-completed" },
  "pipeline:offline": { word: "Offline", icon: PowerOff, tone: "text-failed" },
  "status:update": { word: "Status", icon: SlidersHorizontal, tone: "text-muted" },
  heartbeat: { word: "Heartbeat", icon: SlidersHorizontal, tone: "text-muted" },
  "pipeline:summary": { word: "Summary", icon: SlidersHorizontal, tone: "text-muted" },
};

export function EventLabel({ type, className }: { type: EventType; className?: string }) {
  const { word, icon: Icon, tone } = EVENT_LOOKS[type];
  return (
    <span className={classes("inline-flex items-center gap-1.5 whitespace-nowrap", tone, className)}>
      <Icon size={14} aria-hidden className="shrink-0" />
      {word}
    </span>
  );
}

/** The details of an event, without its type and file. */
export function eventText(event: Event): string {
  return visible(textOf(event));
}

function textOf(event: Event): string {
  switch (event.type) {
    case "file:processing":
      return event.attempt > 1
        ? `attempt ${event.attempt}`
        : STAGE_WORDS[event.processing_stage].toLowerCase();
    case "file:completed":
      return `${plural(event.results.chunks_created, "chunk")}${timeOf(event)}`;
    case "file:failed":
      return event.error.message;
    case "file:skipped":
      return event.reason.message;
    case "file:deleted":
      return words(event.reason).toLowerCase();
    case "pipeline:online":
      return `watching ${event.watch_location}`;
    case "pipeline:offline":
      return words(event.reason).toLowerCase();
    case "status:update":
      return Object.entries(event.changes)
        .map(([name, value]) => changeText(name, value))
        .join(", ");
    default:
      return "";
  }
}

const OF_FILES: Record<string, string> = {
  files_queued: "queued",
  files_moved: "moved or renamed",
  files_requeued: "queued again",
  files_stuck: "stuck",
  files_lost: "interrupted because a worker was lost",
};

const BECAUSE: Record<string, string> = {
  worker_lost: " because a worker was lost",
  budget_changed: " because the budget was changed",
};

/** One change of a `status:update`; producers may add changes of their own. */
function changeText(name: string, value: unknown): string {
  if (name === "paused" || name === "problem") {
    const why = messageOf(value);
    const [begins, ends] = name === "paused" ? ["paused", "no longer paused"] : ["problem", "problem solved"];
    return why === null ? ends : `${begins}: ${why}`;
  }
  const what = OF_FILES[name];
  if (!what || !isRecord(value) || typeof value.count !== "number") return words(name).toLowerCase();
  const because = BECAUSE[String(value.reason)] ?? "";
  return `${namedOrCounted(value.files, value.count)} ${what}${because}`;
}

function timeOf({ file }: Extract<Event, { type: "file:completed" }>): string {
  const seconds = attemptSeconds({ started_at: file.started_at, finished_at: file.completed_at });
  return seconds === null ? "" : ` in ${duration(seconds)}`;
}

function messageOf(value: unknown): string | null {
  if (!isRecord(value)) return null;
  return typeof value.message === "string" ? value.message : "";
}

function namedOrCounted(files: unknown, total: number): string {
  const only: unknown = total === 1 && Array.isArray(files) ? files[0] : null;
  return isRecord(only) && typeof only.name === "string" ? only.name : plural(total, "file");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
