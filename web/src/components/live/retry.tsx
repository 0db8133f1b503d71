"use client";
import { RotateCw } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { plural } from "@/components/ui/format";
import type { RetryRequest } from "@/contract/types";
import { useConnection } from "@/realtime/hooks";
import { ApiError } from "@/realtime/http";
import { retryFiles } from "@/realtime/operations";

type Outcome =
  { kind: "idle" | "asking" } | { kind: "done"; requeued: number } | { kind: "refused"; why: string };

interface RetryProps {
  pipelineId: string;
  files: RetryRequest;
  label?: string;
}

/** Tries failed files again; nothing where the page may only look. */
export function Retry({ pipelineId, files, label = "Retry" }: RetryProps) {
  const { mayOperate } = useConnection();
  const [outcome, setOutcome] = useState<Outcome>({ kind: "idle" });
  if (!mayOperate) return null;
  const ask = async () => {
    setOutcome({ kind: "asking" });
    try {
      setOutcome({ kind: "done", requeued: await retryFiles(pipelineId, files) });
    } catch (error) {
      setOutcome({ kind: "refused", why: error instanceof ApiError ? error.message : String(error) });
    }
  };
  return (
    <span className="inline-flex items-center gap-2">
      <Button data-testid="retry" disabled={outcome.kind === "asking"} onClick={() => void ask()}>
        <RotateCw size={13} aria-hidden className={outcome.kind === "asking" ? "animate-spin" : undefined} />
        {label}
      </Button>
      <span role="status" className="text-sm text-muted">
        {outcome.kind === "done" && `${plural(outcome.requeued, "file")} queued`}
        {outcome.kind === "refused" && <span className="text-failed">{outcome.why}</span>}
      </span>
    </span>
  );
}
