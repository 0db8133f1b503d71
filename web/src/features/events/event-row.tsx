"use client";
import { memo, useState } from "react";
import { EventLabel, eventText } from "@/components/ui/event-text";
import { absoluteTime, count } from "@/components/ui/format";
import { Link } from "@/components/ui/link";
import { fileHref } from "@/components/ui/links";
import { classes } from "@/components/ui/classes";
import type { DurableEvent } from "@/client/log-position";
import { visible, visibleLines } from "@/components/ui/visible";

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

function isToday(time: number): boolean {
  return new Date(time).toDateString() === new Date().toDateString();
}

/** One event; opened, all of its fields. */
export const EventRow = memo(function EventRow({ event }: { event: DurableEvent }) {
  const [open, setOpen] = useState(false);
  const time = Date.parse(event.timestamp);
  return (
    <div data-testid="event-row" data-seq={event.seq} data-type={event.type} className="border-b">
      <div
        className={classes(
          "relative grid min-h-9 grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-3 py-1.5 hover:bg-hover sm:grid-cols-[64px_148px_104px_minmax(0,1fr)] sm:py-0",
          open && "bg-hover",
        )}
      >
        <span className="num font-mono text-xs text-faint sm:order-1 sm:text-right">{count(event.seq)}</span>
        <EventLabel type={event.type} className="sm:order-3" />
        <time
          dateTime={event.timestamp}
          title={absoluteTime(time)}
          className="num font-mono text-xs text-faint sm:order-2"
          suppressHydrationWarning
        >
          {isToday(time) ? "" : `${day.format(time)} `}
          {clock.format(time)}
        </time>
        <span className="col-span-3 flex min-w-0 items-baseline gap-2 sm:order-4 sm:col-span-1">
          {"file" in event && (
            <Link
              href={fileHref(event.pipeline_id, event.file.id)}
              className="relative z-10 truncate hover:underline sm:max-w-[55%] sm:shrink-0"
            >
              {visible(event.file.name)}
            </Link>
          )}
          <span className="min-w-0 truncate text-faint">{eventText(event)}</span>
        </span>
        <button
          type="button"
          aria-expanded={open}
          aria-label={`Event ${event.seq}: all fields`}
          onClick={() => setOpen(!open)}
          className="absolute inset-0 focus-visible:-outline-offset-2"
        />
      </div>
      {open && (
        <pre className="overflow-x-auto bg-subtle px-4 py-3 font-mono text-xs leading-[18px] text-muted sm:pl-[84px]">
          {visibleLines(JSON.stringify(event, null, 2))}
        </pre>
      )}
    </div>
  );
});
