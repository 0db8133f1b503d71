"use client";
import { RotateCw } from "lucide-react";
import { Button } from "@/components/ui/button";
import { plural } from "@/components/ui/format";
import type { RetryRequest } from "@/contract/types";
import { useConnection, usePipeline } from "@/react/hooks";
import { useRetry } from "@/react/queries";
import { visible } from "@/components/ui/visible";

interface RetryProps {
  pipelineId: string;
  files: RetryRequest;
  label?: string;
}

/** Retries failed files; absent for viewers who may not, and where raglive does not process the files. */
export function Retry({ pipelineId, files, label = "Retry" }: RetryProps) {
  const { mayOperate } = useConnection();
  const isManaged = usePipeline(pipelineId)?.facts.managed ?? false;
  const { mutate, data: requeued, error, isPending } = useRetry(pipelineId);
  if (!mayOperate || !isManaged) return null;
  return (
    <span className="inline-flex items-center gap-2">
      <Button data-testid="retry" disabled={isPending} onClick={() => mutate(files)}>
        <RotateCw size={13} aria-hidden className={isPending ? "animate-spin" : undefined} />
        {label}
      </Button>
      <span role="status" className="text-sm text-muted">
        {requeued !== undefined && `${plural(requeued, "file")} queued`}
        {error && <span className="text-failed">{visible(error.message)}</span>}
      </span>
    </span>
  );
}
