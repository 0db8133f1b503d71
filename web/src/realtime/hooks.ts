"use client";
import { useCallback, useEffect, useRef, useSyncExternalStore } from "react";
import { client } from "./client";
import type { Connection } from "./connection";
import type { LiveFile, PipelineState } from "./pipeline-state";
import { NOTHING, type Resource } from "./resources";

const NO_IDS: readonly string[] = [];
const CONNECTING: Connection = {
  state: "connecting",
  since: 0,
  reason: { code: "starting", message: "" },
  latencyMs: null,
  heardAt: null,
  retryAt: null,
  preferPolling: false,
  reconnects: 0,
  fallbacks: 0,
  url: null,
  version: null,
  role: null,
  mayOperate: false,
};
const never = () => () => undefined;
const subscribeStore = (listener: () => void) => client().store.subscribe(listener);
const subscribeEngine = (listener: () => void) => client().engine.subscribe(listener);

export function useConnection(): Connection {
  return useSyncExternalStore(
    subscribeEngine,
    () => client().engine.connection,
    () => CONNECTING,
  );
}

export function usePipelineIds(): readonly string[] {
  return useSyncExternalStore(
    subscribeStore,
    () => client().store.pipelineIds(),
    () => NO_IDS,
  );
}

/** A part of a pipeline's state; renders again only when that part is another one. */
export function usePipeline<T>(id: string, select: (state: PipelineState) => T): T | undefined {
  return useSyncExternalStore(
    subscribeStore,
    () => {
      const state = client().store.pipeline(id);
      return state && select(state);
    },
    () => undefined,
  );
}

export function useLiveFile(pipelineId: string, fileId: string): LiveFile | undefined {
  return useSyncExternalStore(
    subscribeStore,
    () => client().store.file(pipelineId, fileId),
    () => undefined,
  );
}

/** An answer of the dashboard server, fetched again when `version` grows and every `refreshMs`. */
export function useResource<T>(
  path: string | null,
  { version = 0, refreshMs = null }: { version?: number; refreshMs?: number | null } = {},
): Resource<T> & { reload: () => void } {
  const subscribe = useCallback(
    (listener: () => void) => (path === null ? never() : client().resources.subscribe(path, listener)),
    [path],
  );
  const resource = useSyncExternalStore(
    subscribe,
    () => (path === null ? NOTHING : client().resources.get<T>(path)),
    () => NOTHING,
  );
  const reload = useCallback(() => {
    if (path !== null) void client().resources.load(path);
  }, [path]);
  useEffect(reload, [reload]);
  useReloadOnChange(reload, version);
  useEffect(() => {
    if (refreshMs === null) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, refreshMs);
    return () => clearInterval(timer);
  }, [reload, refreshMs]);
  return { ...resource, reload };
}

const SETTLING_MS = 600;

/** Changes come in bursts: the first is answered soon, the rest together. */
function useReloadOnChange(reload: () => void, version: number): void {
  const answered = useRef(version);
  const latest = useRef(version);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => {
    latest.current = version;
    if (answered.current === version || timer.current !== null) return;
    timer.current = setTimeout(() => {
      timer.current = null;
      answered.current = latest.current;
      reload();
    }, SETTLING_MS);
  }, [reload, version]);
  useEffect(
    () => () => {
      if (timer.current !== null) clearTimeout(timer.current);
      timer.current = null;
    },
    [reload],
  );
}
