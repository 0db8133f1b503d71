"use client";
import { relative, absoluteTime } from "@/components/ui/format";
import { useNow } from "@/components/ui/now";
import { useClient } from "@/react/provider";

/** How long ago the server confirmed what is shown of a pipeline. */
export function Freshness({ pipelineId, className }: { pipelineId: string; className?: string }) {
  const now = useNow();
  const at = useClient().store.freshAt(pipelineId);
  if (at === null) return null;
  return (
    <span className={className} title={absoluteTime(at)}>
      fresh as of <span className="num">{relative(at, Math.max(now, at))}</span>
    </span>
  );
}
