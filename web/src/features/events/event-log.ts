"use client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { EventPage } from "@/contract/types";
import { client } from "@/realtime/client";
import { ApiError } from "@/realtime/http";
import { isDurable, type DurableEvent, type PipelineState } from "@/realtime/pipeline-state";

export interface LogQuery {
  type: string;
  fileId: string;
}

export interface EventLog {
  /** Newest first, without gaps. */
  events: DurableEvent[];
  /** Arrived since, and not shown yet. */
  waiting: number;
  more: boolean;
  loading: boolean;
  error: ApiError | null;
  loadMore: () => void;
  reload: () => void;
}

interface Loaded {
  events: DurableEvent[];
  next: string | null;
  head: number | null;
  loading: boolean;
  error: ApiError | null;
}

const PAGE = 100;
const NOTHING: Loaded = { events: [], next: null, head: null, loading: true, error: null };

/**
 * A pipeline's log: pages from the server, and on top of them what was heard since. While `held`,
 * what arrives waits, so that nothing moves under the pointer.
 */
export function useEventLog(state: PipelineState, query: LogQuery, held: boolean): EventLog {
  const base = pathOf(state.id, query);
  const [loaded, setLoaded] = useState<Loaded>(NOTHING);
  const request = useRef<AbortController | null>(null);
  const load = useCallback(
    async (before: string | null) => {
      request.current?.abort();
      const current = (request.current = new AbortController());
      setLoaded((now) => ({ ...now, loading: true }));
      try {
        const path = before === null ? base : `${base}&before=${encodeURIComponent(before)}`;
        const page = await client().http.get<EventPage>(path, { signal: current.signal });
        setLoaded((now) => append(now, page, before));
      } catch (error) {
        if (current.signal.aborted) return;
        const refusal = error instanceof ApiError ? error : new ApiError(String(error), 0, "unknown", true);
        setLoaded((now) => ({ ...now, loading: false, error: refusal }));
      }
    },
    [base],
  );
  const reload = useCallback(() => void load(null), [load]);
  useEffect(() => {
    setLoaded(NOTHING);
    void load(null);
    return () => request.current?.abort();
  }, [load, state.generation]);
  const { head } = loaded;
  const lost = isTornFrom(state, head);
  useEffect(() => {
    if (lost) reload();
  }, [lost, reload]);
  const arrived = useMemo(() => since(state.events, head, query), [state.events, head, query]);
  const [shownTo, setShownTo] = useState(0);
  const newest = arrived[0]?.seq ?? 0;
  if (!held && newest > shownTo) setShownTo(newest);
  const shown = useMemo(() => arrived.filter((event) => event.seq <= shownTo), [arrived, shownTo]);
  const { next, loading, error } = loaded;
  const loadMore = useCallback(() => {
    if (next !== null && !loading && error === null) void load(next);
  }, [load, next, loading, error]);
  return {
    events: useMemo(() => [...shown, ...loaded.events], [shown, loaded.events]),
    waiting: arrived.length - shown.length,
    more: next !== null,
    loading,
    error,
    loadMore,
    reload,
  };
}

function append(now: Loaded, page: EventPage, before: string | null): Loaded {
  const events = page.events.filter(isDurable);
  return {
    events: before === null ? events : [...now.events, ...events],
    next: page.next ?? null,
    head: before === null ? seqOf(page.cursor) : now.head,
    loading: false,
    error: null,
  };
}

/** The events heard since the head of what was fetched, newest first. */
function since(events: readonly DurableEvent[], head: number | null, query: LogQuery): DurableEvent[] {
  if (head === null) return [];
  return events.filter((event) => event.seq > head && matches(event, query)).reverse();
}

function matches(event: DurableEvent, { type, fileId }: LogQuery): boolean {
  if (type && event.type !== type) return false;
  return !fileId || ("file" in event && event.file.id === fileId);
}

/** More has happened than is remembered: the fetched pages do not join up with what was heard. */
function isTornFrom(state: PipelineState, head: number | null): boolean {
  const oldest = state.events[0]?.seq;
  if (head === null || head >= state.seq) return false;
  return oldest === undefined || oldest > head + 1;
}

function seqOf(cursor: string): number | null {
  const seq = Number(cursor.split(".")[1]);
  return Number.isFinite(seq) ? seq : null;
}

function pathOf(pipelineId: string, { type, fileId }: LogQuery): string {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (type) query.set("type", type);
  if (fileId) query.set("file_id", fileId);
  return `/api/pipelines/${encodeURIComponent(pipelineId)}/events?${query.toString()}`;
}
