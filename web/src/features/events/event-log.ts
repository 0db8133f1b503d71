"use client";
import { useEffect, useMemo, useState } from "react";
import { parsePosition } from "@/client/cursor";
import type { ApiError } from "@/client/http";
import { isDurable, type DurableEvent } from "@/client/log-position";
import type { PipelineState } from "@/client/pipeline-state";
import type { EventPage } from "@/contract/types";
import { pipelinePath, usePages } from "@/react/queries";

export interface LogQuery {
  type: string;
  fileId: string;
}

export interface EventLog {
  /** Newest first, without gaps. */
  events: readonly DurableEvent[];
  /** Arrived since, and not shown yet. */
  waiting: number;
  more: boolean;
  loading: boolean;
  error: ApiError | null;
  loadMore: () => void;
  reload: () => void;
}

const PAGE = 100;

/**
 * A pipeline's log: pages from the server, and above them the events that arrived since. While `held`,
 * these wait, so that nothing moves under the pointer.
 */
export function useEventLog(state: PipelineState, query: LogQuery, held: boolean): EventLog {
  const { pages, ...paging } = usePages<EventPage>({
    pipelineId: state.id,
    path: pathOf(state.id, query),
    continueWith: "before",
    version: state.generation,
  });
  const head = parsePosition(pages[0]?.cursor ?? "")?.seq ?? null;
  const { reload } = paging;
  const torn = !paging.loading && isTornFrom(state, head);
  useEffect(() => {
    if (torn) reload();
  }, [torn, reload]);
  const fetched = useMemo(() => pages.flatMap(({ events }) => events.filter(isDurable)), [pages]);
  const arrived = useMemo(() => since(state.events, head, query), [state.events, head, query]);
  const [shownTo, setShownTo] = useState(0);
  const newest = arrived[0]?.seq ?? 0;
  if (!held && newest > shownTo) setShownTo(newest);
  const shown = useMemo(() => arrived.filter((event) => event.seq <= shownTo), [arrived, shownTo]);
  return {
    ...paging,
    events: useMemo(() => [...shown, ...fetched], [shown, fetched]),
    waiting: arrived.length - shown.length,
  };
}

/** The events after the fetched head, newest first. */
function since(events: readonly DurableEvent[], head: number | null, query: LogQuery): DurableEvent[] {
  if (head === null) return [];
  return events.filter((event) => event.seq > head && matches(event, query)).reverse();
}

function matches(event: DurableEvent, { type, fileId }: LogQuery): boolean {
  if (type && event.type !== type) return false;
  return !fileId || ("file" in event && event.file.id === fileId);
}

/** More events came than are remembered: the fetched pages do not join up with them. */
function isTornFrom(state: PipelineState, head: number | null): boolean {
  const oldest = state.events[0]?.seq;
  if (head === null || head >= state.seq) return false;
  return oldest === undefined || oldest > head + 1;
}

function pathOf(pipelineId: string, { type, fileId }: LogQuery): string {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (type) query.set("type", type);
  if (fileId) query.set("file_id", fileId);
  return `${pipelinePath(pipelineId, "events")}?${query.toString()}`;
}
