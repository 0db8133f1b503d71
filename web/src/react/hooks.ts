"use client";
import { useCallback, useSyncExternalStore } from "react";
import { NOT_STARTED, type Connection } from "@/client/connection";
import type { LiveFile } from "@/client/file-state";
import type { PipelineState } from "@/client/pipeline-state";
import type { Store } from "@/client/store";
import { useClient } from "./provider";

const NO_IDS: readonly string[] = [];
const NO_PIPELINES: readonly PipelineState[] = [];

export function useConnection(): Connection {
  const client = useClient();
  return useSyncExternalStore(
    client.onConnection,
    () => client.connection,
    () => NOT_STARTED,
  );
}

/** A value read from the store. Renders again when it has changed by `Object.is`. */
export function useStore<T>(read: (store: Store) => T, prerendered: T): T {
  const { store } = useClient();
  return useSyncExternalStore(
    store.subscribe,
    () => read(store),
    () => prerendered,
  );
}

export function usePipelineIds(): readonly string[] {
  return useStore((store) => store.pipelineIds(), NO_IDS);
}

/** All pipelines, sorted by id. */
export function usePipelines(): readonly PipelineState[] {
  return useStore((store) => store.all(), NO_PIPELINES);
}

export function usePipeline(id: string): PipelineState | undefined {
  return useStore((store) => store.pipeline(id), undefined);
}

/** A file as events describe it; renders again when its progress changes. */
export function useLiveFile(pipelineId: string, fileId: string): LiveFile | undefined {
  return useStore(
    useCallback((store) => store.file(pipelineId, fileId), [pipelineId, fileId]),
    undefined,
  );
}
