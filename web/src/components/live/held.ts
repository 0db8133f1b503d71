"use client";
import { useSyncExternalStore } from "react";
import { isHeld, shownState } from "@/components/ui/state";
import { client } from "@/realtime/client";
import type { PipelineState } from "@/realtime/pipeline-state";

/** How many files in progress are stuck, or have lost their worker. */
export function useHeldCount({ id, processing }: PipelineState): number {
  const { store } = client();
  return useSyncExternalStore(
    store.subscribe,
    () =>
      processing.filter((fileId) => {
        const file = store.file(id, fileId);
        return file !== undefined && isHeld(shownState(file));
      }).length,
    () => 0,
  );
}
