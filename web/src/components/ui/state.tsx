import {
  CircleCheck,
  CircleDashed,
  CircleSlash,
  CircleX,
  Hourglass,
  LoaderCircle,
  Trash2,
  TriangleAlert,
  Unplug,
  type LucideIcon,
} from "lucide-react";
import type { FileRow, FileState } from "@/contract/types";
import { classes } from "./classes";
import { currentTime } from "./now";

/** A file's state as shown: a queued file may wait for a retry, and one in progress may be stuck. */
export type ShownState = FileRow["standing"];

interface Look {
  word: string;
  icon: LucideIcon;
  text: string;
  fill: string;
}

export const LOOKS: Record<ShownState, Look> = {
  queued: { word: "Queued", icon: CircleDashed, text: "text-queued", fill: "bg-queued-fill" },
  waiting: { word: "Retries", icon: Hourglass, text: "text-waiting", fill: "bg-waiting-fill" },
  processing: {
    word: "In progress",
    icon: LoaderCircle,
    text: "text-processing",
    fill: "bg-processing-fill",
  },
  stuck: { word: "Stuck", icon: TriangleAlert, text: "text-waiting", fill: "bg-waiting-fill" },
  lost: { word: "Worker lost", icon: Unplug, text: "text-waiting", fill: "bg-waiting-fill" },
  completed: { word: "Completed", icon: CircleCheck, text: "text-completed", fill: "bg-completed-fill" },
  failed: { word: "Failed", icon: CircleX, text: "text-failed", fill: "bg-failed-fill" },
  skipped: { word: "Skipped", icon: CircleSlash, text: "text-skipped", fill: "bg-skipped-fill" },
  deleted: { word: "Deleted", icon: Trash2, text: "text-faint", fill: "bg-line-strong" },
};

/** In progress, but without progress. */
export function isHeld(state: ShownState): boolean {
  return state === "stuck" || state === "lost";
}

export function shownState(file: {
  state: FileState;
  standing?: ShownState;
  next_attempt_at?: string | null;
}): ShownState {
  if (file.state === "queued")
    return file.next_attempt_at && Date.parse(file.next_attempt_at) > currentTime() ? "waiting" : "queued";
  if (file.state !== "processing") return file.state;
  return file.standing === "stuck" || file.standing === "lost" ? file.standing : "processing";
}

export function StateIcon({
  state,
  size = 14,
  className,
}: {
  state: ShownState;
  size?: number;
  className?: string;
}) {
  const { icon: Icon, text } = LOOKS[state];
  return (
    <Icon
      size={size}
      strokeWidth={2}
      aria-hidden
      className={classes(
        "shrink-0",
        text,
        state === "processing" && "animate-[spin_1.8s_linear_infinite]",
        className,
      )}
    />
  );
}

/** A state with its icon and word, never by colour alone. */
export function StateLabel({
  state,
  quiet,
  className,
}: {
  state: ShownState;
  quiet?: boolean;
  className?: string;
}) {
  const { word, text } = LOOKS[state];
  return (
    <span
      className={classes(
        "inline-flex items-center gap-1.5 whitespace-nowrap",
        quiet ? "text-muted" : text,
        className,
      )}
    >
      <StateIcon state={state} />
      {word}
    </span>
  );
}
