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
import { classes } from "./classes";
import { duration, plural, words } from "./format";
import { STAGE_WORDS } from "./stage-progress";

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

/** What an event says, without its type and file. */
export function eventText(event: Event): string {
  switch (event.type) {
    case "file:processing":
      return event.attempt > 1
        ? `attempt ${event.attempt}`
        : STAGE_WORDS[event.processing_stage].toLowerCase();
    case "file:completed":
      return `${plural(event.results.chunks_created, "chunk")} in ${duration(event.results.processing_duration)}`;
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
      return Object.keys(event.changes).map(words).join(", ");
    default:
      return "";
  }
}
