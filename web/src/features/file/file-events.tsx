"use client";
import { EventLabel } from "@/components/ui/event-text";
import { count } from "@/components/ui/format";
import { Link } from "@/components/ui/link";
import { eventsHref } from "@/components/ui/links";
import { Section } from "@/components/ui/section";
import { Moment } from "@/components/ui/time";
import type { EventPage } from "@/contract/types";
import { parsePosition } from "@/client/cursor";
import { usePipeline } from "@/react/hooks";
import { pipelinePath, usePipelineQuery } from "@/react/queries";

const SHOWN = 20;

interface FileEventsProps {
  pipelineId: string;
  fileId: string;
}

/** The file's latest events: fetched once, and those that arrived since. */
export function FileEvents({ pipelineId, fileId }: FileEventsProps) {
  const state = usePipeline(pipelineId);
  const query = new URLSearchParams({ file_id: fileId, limit: String(SHOWN) }).toString();
  const path = `${pipelinePath(pipelineId, "events")}?${query}`;
  const { data } = usePipelineQuery<EventPage>(pipelineId, path, state?.generation ?? 0);
  const head = parsePosition(data?.cursor ?? "")?.seq ?? Infinity;
  const arrived = (state?.events ?? []).filter(
    (event) => event.seq > head && "file" in event && event.file.id === fileId,
  );
  const events = [...arrived.reverse(), ...(data?.events ?? [])].slice(0, SHOWN);
  return (
    <Section
      title="Events"
      aside={
        <Link
          href={eventsHref(pipelineId, { file: fileId })}
          className="text-xs hover:text-ink hover:underline"
        >
          In the log
        </Link>
      }
    >
      {data && events.length === 0 && <p className="py-3 text-faint">No event yet.</p>}
      <ol>
        {events.map((event) => (
          <li key={event.id} className="flex h-8 items-center gap-3 border-b last:border-b-0">
            <EventLabel type={event.type} className="flex-1" />
            <Moment at={event.timestamp} className="num text-xs text-faint" />
            {"seq" in event && (
              <span className="num w-14 text-right font-mono text-xs text-faint">#{count(event.seq)}</span>
            )}
          </li>
        ))}
      </ol>
    </Section>
  );
}
