"use client";
import {
  keepPreviousData,
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
} from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { Client } from "@/client/client";
import type { ApiError } from "@/client/http";
import type { RetryAnswer, RetryRequest, SocketTest } from "@/contract/types";
import { useClient } from "./provider";

declare module "@tanstack/react-query" {
  interface Register {
    defaultError: ApiError;
  }
}

const caches = new WeakMap<Client, QueryClient>();

/**
 * The cache of what was fetched through the nearest client. It has no provider, so that pages which
 * fetch nothing do not load it.
 */
function useCache(): QueryClient {
  const client = useClient();
  const cache = caches.get(client) ?? newCache();
  caches.set(client, cache);
  return cache;
}

/** Events say what changed, so nothing is fetched again by time, focus or reconnection. */
function newCache(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: false,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        networkMode: "always",
      },
      mutations: { networkMode: "always" },
    },
  });
}

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
  return useQuery(
    {
      queryKey: [pipelineId, path, version],
      queryFn: ({ signal }) => http.get<T>(path, { signal }),
      placeholderData: keepPreviousData,
    },
    useCache(),
  );
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
  /** Pages of another version are out of date, such as another generation of the pipeline. */
  version: string | number;
  /** While false, nothing is fetched. */
  enabled?: boolean;
}

/** A list of a pipeline, page by page; the previous pages stay until the first new one comes. */
export function usePages<P extends { next: string | number | null }>(query: PagedQuery): Pages<P> {
  const { http } = useClient();
  const { pipelineId, path, continueWith, version, enabled } = query;
  const [reloads, setReloads] = useState(0);
  const { data, error, isFetching, hasNextPage, fetchNextPage } = useInfiniteQuery(
    {
      queryKey: [pipelineId, path, version, reloads],
      queryFn: ({ pageParam, signal }) =>
        http.get<P>(pageParam === null ? path : `${path}&${continueWith}=${encodeURIComponent(pageParam)}`, {
          signal,
        }),
      initialPageParam: null as string | number | null,
      getNextPageParam: (page) => page.next,
      enabled,
      placeholderData: keepPreviousData,
    },
    useCache(),
  );
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

/** What a search finds for a text; `key` names the search and its filters. Nothing is fetched for an empty text. */
export function useSearch<T>(
  key: readonly unknown[],
  text: string,
  search: (text: string, signal: AbortSignal) => Promise<T[]>,
): Found<T> {
  const { data, error, isFetching } = useQuery(
    {
      queryKey: [...key, text],
      queryFn: ({ signal }) => search(text, signal),
      enabled: text !== "",
      placeholderData: keepPreviousData,
    },
    useCache(),
  );
  if (text === "") return { found: [], searching: false, error: null };
  return { found: error ? [] : (data ?? []), searching: isFetching, error: error?.message ?? null };
}

/** Retries failed files, then fetches again what is shown of their pipeline. */
export function useRetry(pipelineId: string) {
  const { http } = useClient();
  const cache = useCache();
  return useMutation(
    {
      mutationFn: async (files: RetryRequest) => {
        const { body } = await http.request<RetryAnswer>(pipelinePath(pipelineId, "retry"), { body: files });
        return body?.requeued ?? 0;
      },
      onSuccess: () => void cache.invalidateQueries({ queryKey: [pipelineId] }),
    },
    cache,
  );
}

/** Lets the dashboard server make one round trip to the status server. */
export function useSocketTest(pipelineType: string) {
  const { http } = useClient();
  const test = () => http.request<SocketTest>("/api/socket/test", { body: { pipelineType } });
  return useMutation({ mutationFn: test }, useCache());
}
