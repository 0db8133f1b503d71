"use client";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { ArrowUp, Check, Copy, ScrollText, ServerCrash, ShieldCheck, X } from "lucide-react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { PipelineFrame } from "@/components/live/pipeline-header";
import { Button } from "@/components/ui/button";
import { Chips } from "@/components/ui/chips";
import { EVENT_LOOKS } from "@/components/ui/event-text";
import { count, plural } from "@/components/ui/format";
import { Empty } from "@/components/ui/notice";
import { pipelineIn } from "@/components/ui/links";
import { useQuery } from "@/components/ui/query";
import { Skeleton } from "@/components/ui/section";
import { Tooltip } from "@/components/ui/tooltip";
import type { PipelineState } from "@/client/pipeline-state";
import { EventRow } from "./event-row";
import { useEventLog, type EventLog } from "./event-log";

const TYPES = [
  "file:processing",
  "file:completed",
  "file:failed",
  "file:skipped",
  "file:deleted",
  "pipeline:online",
  "pipeline:offline",
  "status:update",
] as const;
const ROW_PX = 37;
const AHEAD = 30;

export function EventsPage() {
  const [query] = useQuery();
  return (
    <PipelineFrame id={pipelineIn(query)} tab="events">
      {(state) => <Log state={state} />}
    </PipelineFrame>
  );
}

function Log({ state }: { state: PipelineState }) {
  const [query, setQuery] = useQuery();
  const type = query.get("type") ?? "";
  const fileId = query.get("file") ?? "";
  const [held, setHeld] = useState(false);
  const log = useEventLog(
    state,
    useMemo(() => ({ type, fileId }), [type, fileId]),
    held,
  );
  return (
    <div className="pt-4">
      <div className="flex flex-col gap-2 pb-3 lg:flex-row lg:items-center">
        <Chips
          label="Events by type"
          value={type}
          onChange={(value) => setQuery({ type: value || null })}
          chips={[
            { value: "", label: "All" },
            ...TYPES.map((value) => ({ value, label: EVENT_LOOKS[value].word })),
          ]}
        />
        {fileId && (
          <button
            type="button"
            onClick={() => setQuery({ file: null })}
            className="inline-flex h-7 items-center gap-1 self-start rounded-md bg-accent-soft px-2 text-accent"
          >
            One file <X size={13} aria-label="Show the events of all files" />
          </button>
        )}
        <Verified state={state} />
      </div>
      <LogBody
        log={log}
        onHold={setHeld}
        filtered={type !== "" || fileId !== ""}
        onClear={() => setQuery({ type: null, file: null })}
      />
    </div>
  );
}

/** Up to which event the digest of what this page received equals the server's. */
function Verified({ state }: { state: PipelineState }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(state.cursor);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <div className="flex items-center gap-3 lg:ml-auto">
      <Tooltip label="A rolling digest covers every event of this log. Up to here, the digest of what this page received equals the server's: nothing is missing, repeated or out of order.">
        <button type="button" className="inline-flex items-center gap-1.5 whitespace-nowrap text-completed">
          <ShieldCheck size={14} aria-hidden />
          <span>
            verified to{" "}
            <span className="num font-medium" data-testid="verified-seq" data-seq={state.verifiedSeq}>
              #{count(state.verifiedSeq)}
            </span>
          </span>
        </button>
      </Tooltip>
      <Tooltip label={state.cursor}>
        <Button variant="plain" onClick={() => void copy()} className="text-faint!">
          {copied ? <Check size={13} aria-hidden /> : <Copy size={13} aria-hidden />}
          {copied ? "Copied" : "Cursor"}
        </Button>
      </Tooltip>
    </div>
  );
}

interface LogBodyProps {
  log: EventLog;
  onHold: (held: boolean) => void;
  filtered: boolean;
  onClear: () => void;
}

function LogBody({ log, onHold, filtered, onClear }: LogBodyProps) {
  if (log.events.length > 0) return <Rows log={log} onHold={onHold} />;
  if (log.error)
    return (
      <Empty
        icon={ServerCrash}
        title="The log could not be loaded"
        action={<Button onClick={log.reload}>Try again</Button>}
      >
        {log.error.message}
      </Empty>
    );
  if (log.loading)
    return (
      <div aria-busy="true" aria-label="Loading events">
        {Array.from({ length: 12 }, (_, index) => (
          <div key={index} className="flex h-9 items-center border-b">
            <Skeleton className="h-3 w-full" />
          </div>
        ))}
      </div>
    );
  return (
    <Empty
      icon={ScrollText}
      title={filtered ? "No event matches" : "Nothing has happened yet"}
      action={filtered && <Button onClick={onClear}>Show all events</Button>}
    >
      {!filtered && "Everything that happens to a file is recorded here, in order."}
    </Empty>
  );
}

function Rows({ log, onHold }: { log: EventLog; onHold: (held: boolean) => void }) {
  const list = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  const [hovered, setHovered] = useState(false);
  useLayoutEffect(() => {
    setMargin(Math.round((list.current?.getBoundingClientRect().top ?? 0) + window.scrollY));
  }, []);
  const { events, loadMore } = log;
  const virtualizer = useWindowVirtualizer({
    count: events.length,
    estimateSize: () => ROW_PX,
    overscan: 10,
    scrollMargin: margin,
    getItemKey: (index) => events[index]?.seq ?? index,
  });
  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const first = items[0]?.index ?? 0;
  useEffect(() => {
    if (last >= events.length - AHEAD) loadMore();
  }, [last, events.length, loadMore]);
  const held = hovered || first > 0;
  useEffect(() => onHold(held), [held, onHold]);
  const showNew = () => {
    setHovered(false);
    window.scrollTo({ top: 0 });
  };
  return (
    <div>
      {log.waiting > 0 && (
        <div className="pointer-events-none sticky top-16 z-20 h-0">
          <Button
            variant="accent"
            onClick={showNew}
            data-testid="show-new"
            className="pointer-events-auto absolute top-2 left-1/2 -translate-x-1/2 rounded-full! shadow-float"
          >
            <ArrowUp size={13} aria-hidden /> {count(log.waiting)} new
          </Button>
        </div>
      )}
      <div
        ref={list}
        onPointerEnter={(event) => setHovered(event.pointerType === "mouse")}
        onPointerLeave={() => setHovered(false)}
        className="relative border-t"
        style={{ height: virtualizer.getTotalSize() }}
      >
        {items.map((item) => {
          const event = events[item.index];
          return (
            event && (
              <div
                key={item.key}
                data-index={item.index}
                ref={virtualizer.measureElement}
                className="absolute inset-x-0 top-0"
                style={{ transform: `translateY(${item.start - margin}px)` }}
              >
                <EventRow event={event} />
              </div>
            )
          );
        })}
      </div>
      <p className="py-4 text-center text-xs text-faint">
        {log.error
          ? log.error.message
          : log.more
            ? "Loading more…"
            : `The beginning of the log · ${plural(events.length, "event")}`}
      </p>
    </div>
  );
}
