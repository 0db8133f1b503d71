"use client";
import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { ApiError } from "@/client/http";
import type { RetryAnswer, RetryRequest } from "@/contract/types";
import { useClient } from "./provider";

/** The address of a pipeline's resource, such as `files` or `events`. */
export function pipelinePath(pipelineId: string, resource: string): string {
  return `/api/pipelines/${encodeURIComponent(pipelineId)}/${resource}`;
}

/**
 * An answer of the dashboard server about a pipeline. It is fetched again when `version` changes; the
 * previous answer stays until then.
 */
export function usePipelineQuery<T>(pipelineId: string, path: string, version: string | number) {
  const { http } = useClient();
  return useQuery({
    queryKey: [pipelineId, path, version],
    queryFn: ({ signal }) => http.get<T>(path, { signal }),
    placeholderData: keepPreviousData,
  });
}

export interface Pages<P> {
  pages: readonly P[];
  more: boolean;
  loading: boolean;
  error: ApiError | null;
  loadMore: () => void;
  /** Fetches the first page again and forgets the rest. */
  reload: () => void;
}

const NO_PAGES: readonly never[] = [];

interface PagedQuery {
  pipelineId: string;
  /** Without the parameter that names the next page. */
  path: string;
  /** The parameter that takes `next` of the page before. */
  continueWith: "after" | "before";
  /** Pages of another generation of the pipeline are out of date. */
  generation: number;
}

/** A list of a pipeline, page by page; the previous pages stay until the first new one comes. */
export function usePages<P extends { next: string | null }>(query: PagedQuery): Pages<P> {
  const { http } = useClient();
  const { pipelineId, path, continueWith, generation } = query;
  const [reloads, setReloads] = useState(0);
  const { data, error, isFetching, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: [pipelineId, path, generation, reloads],
    queryFn: ({ pageParam, signal }) =>
      http.get<P>(pageParam === null ? path : `${path}&${continueWith}=${encodeURIComponent(pageParam)}`, {
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
  const loadMore = useCallback(() => {
    if (hasNextPage && !isFetching && error === null) void fetchNextPage();
  }, [hasNextPage, isFetching, error, fetchNextPage]);
  return {
    pages: data?.pages ?? NO_PAGES,
    more: hasNextPage,
    loading: isFetching,
    error,
    loadMore,
    reload: useCallback(() => setReloads((times) => times + 1), []),
  };
}

export interface Found<T> {
  found: readonly T[];
  searching: boolean;
  error: string | null;
}

/** What a search finds for a text; `key` names the search and its filters. Nothing is asked for an empty text. */
export function useSearch<T>(
  key: readonly unknown[],
  text: string,
  search: (text: string, signal: AbortSignal) => Promise<T[]>,
): Found<T> {
  const { data, error, isFetching } = useQuery({
    queryKey: [...key, text],
    queryFn: ({ signal }) => search(text, signal),
    enabled: text !== "",
    placeholderData: keepPreviousData,
  });
  if (text === "") return { found: [], searching: false, error: null };
  return { found: error ? [] : (data ?? []), searching: isFetching, error: error?.message ?? null };
}

/** Retries failed files; what was fetched about their pipeline is fetched again. */
export function useRetry(pipelineId: string) {
  const { http } = useClient();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (files: RetryRequest) => {
      const { body } = await http.request<RetryAnswer>(pipelinePath(pipelineId, "retry"), { body: files });
      return body?.requeued ?? 0;
    },
    onSuccess: () => void queries.invalidateQueries({ queryKey: [pipelineId] }),
  });
}
