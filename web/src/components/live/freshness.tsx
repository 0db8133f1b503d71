"use client";
import { relative, absoluteTime } from "@/components/ui/format";
import { useNow } from "@/components/ui/now";
import { client } from "@/realtime/client";

/** When the server last confirmed what is shown of a pipeline. */
export function Freshness({ pipelineId, className }: { pipelineId: string; className?: string }) {
  const now = useNow();
  const at = client().store.freshAt(pipelineId);
  if (at === null) return null;
  return (
    <span className={className} title={absoluteTime(at)}>
      fresh as of <span className="num">{relative(at, Math.max(now, at))}</span>
    </span>
  );
}
