"use client";
import { EventLabel } from "@/components/ui/event-text";
import { count } from "@/components/ui/format";
import { Link } from "@/components/ui/link";
import { eventsHref } from "@/components/ui/links";
import { Section } from "@/components/ui/section";
import { Moment } from "@/components/ui/time";
import type { EventPage } from "@/contract/types";
import { useResource } from "@/realtime/hooks";

const SHOWN = 20;

export function FileEvents({
  pipelineId,
  fileId,
  version,
}: {
  pipelineId: string;
  fileId: string;
  version: number;
}) {
  const query = new URLSearchParams({ file_id: fileId, limit: String(SHOWN) }).toString();
  const { data } = useResource<EventPage>(
    `/api/pipelines/${encodeURIComponent(pipelineId)}/events?${query}`,
    { version },
  );
  const events = data?.events ?? [];
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
