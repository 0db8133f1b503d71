"use client";
import { useCallback, useEffect, useRef, useState } from "react";
import type { FilePage, FileRow } from "@/contract/types";
import { client } from "@/realtime/client";
import { ApiError } from "@/realtime/http";

export interface FileQuery {
  state: string;
  q: string;
  sort: string;
}

export interface FilePages {
  rows: FileRow[];
  total: number;
  more: boolean;
  loading: boolean;
  error: ApiError | null;
  /** Where the log stood when the first page was asked for: what came later may be missing. */
  asOf: Place;
  loadMore: () => void;
  refresh: () => void;
}

export interface Place {
  generation: number;
  seq: number;
}

interface Loaded {
  key: string;
  asOf: Place;
  rows: FileRow[];
  next: string | null;
  total: number;
  loading: boolean;
  error: ApiError | null;
}

const PAGE = 100;

/** A pipeline's files, page after page; a change of the query starts anew. */
export function useFilePages(pipelineId: string, query: FileQuery): FilePages {
  const base = pathOf(pipelineId, query);
  const [loaded, setLoaded] = useState<Loaded>(() => empty(base));
  const request = useRef<AbortController | null>(null);
  const load = useCallback(
    async (after: string | null) => {
      request.current?.abort();
      const current = (request.current = new AbortController());
      const asOf = placeOf(pipelineId);
      setLoaded((now) => ({ ...now, loading: true }));
      try {
        const page = await client().http.get<FilePage>(
          after ? `${base}&after=${encodeURIComponent(after)}` : base,
          {
            signal: current.signal,
          },
        );
        setLoaded((now) => append(now, base, asOf, page, after));
      } catch (error) {
        if (current.signal.aborted) return;
        const refusal = error instanceof ApiError ? error : new ApiError(String(error), 0, "unknown", true);
        setLoaded((now) => ({ ...(now.key === base ? now : empty(base)), loading: false, error: refusal }));
      }
    },
    [base, pipelineId],
  );
  useEffect(() => {
    void load(null);
    return () => request.current?.abort();
  }, [load]);
  const { next, loading, error } = loaded;
  const loadMore = useCallback(() => {
    if (next !== null && !loading && error === null) void load(next);
  }, [load, next, loading, error]);
  const refresh = useCallback(() => void load(null), [load]);
  const { rows, total, asOf } = loaded;
  return { rows, total, asOf, more: next !== null, loading, error, loadMore, refresh };
}

function append(now: Loaded, key: string, asOf: Place, page: FilePage, after: string | null): Loaded {
  const before = after === null ? [] : now.rows;
  const known = new Set(before.map((row) => row.id));
  return {
    key,
    asOf: after === null ? asOf : now.asOf,
    rows: [...before, ...page.files.filter((row) => !known.has(row.id))],
    next: page.next ?? null,
    total: page.total,
    loading: false,
    error: null,
  };
}

function placeOf(pipelineId: string): Place {
  const { generation = 0, seq = 0 } = client().store.pipeline(pipelineId) ?? {};
  return { generation, seq };
}

function empty(key: string): Loaded {
  return { key, asOf: { generation: 0, seq: 0 }, rows: [], next: null, total: 0, loading: true, error: null };
}

function pathOf(pipelineId: string, { state, q, sort }: FileQuery): string {
  const query = new URLSearchParams({ sort, limit: String(PAGE) });
  if (state) query.set("state", state);
  if (q) query.set("q", q);
  return `/api/pipelines/${encodeURIComponent(pipelineId)}/files?${query.toString()}`;
}
