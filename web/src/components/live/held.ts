"use client";
import { isHeld, shownState } from "@/components/ui/state";
import type { PipelineState } from "@/client/pipeline-state";
import { useStore } from "@/react/hooks";

/** How many files in progress are stuck or have lost their worker. */
export function useHeldCount({ id, processing }: PipelineState): number {
  return useStore(
    (store) =>
      processing.filter((fileId) => {
        const file = store.file(id, fileId);
        return file !== undefined && isHeld(shownState(file));
      }).length,
    0,
  );
}
