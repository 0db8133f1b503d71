"use client";
import { classes } from "./classes";
import { absoluteTime, elapsed, relative } from "./format";
import { useNow } from "./now";

interface MomentProps {
  at: string | number | null | undefined;
  /** The time is a due date: once it has passed, it shows as now, not as some time ago. */
  due?: boolean;
  className?: string;
}

/** A time relative to now, with the exact time on hover. */
export function Moment({ at, due = false, className }: MomentProps) {
  const now = useNow();
  const time = typeof at === "string" ? Date.parse(at) : at;
  if (time == null || Number.isNaN(time)) return <span className={className}>–</span>;
  return (
    <time
      dateTime={new Date(time).toISOString()}
      title={absoluteTime(time)}
      className={classes("whitespace-nowrap", className)}
      suppressHydrationWarning
    >
      {relative(time, due ? Math.min(now, time) : Math.max(now, typeof at === "string" ? 0 : time))}
    </time>
  );
}

/** The time since a moment, updated once a second. */
export function Elapsed({ since, className }: { since: string | number; className?: string }) {
  const now = useNow();
  const start = typeof since === "string" ? Date.parse(since) : since;
  return <span className={className}>{elapsed(Math.max(0, (now - start) / 1000))}</span>;
}
