"use client";
import { CircleSlash, CircleX, Hourglass } from "lucide-react";
import { Retry } from "@/components/live/retry";
import { classes } from "@/components/ui/classes";
import { words } from "@/components/ui/format";
import { Moment } from "@/components/ui/time";
import type { FailureGroups, FileRow } from "@/contract/types";
import { useResource } from "@/realtime/hooks";
import type { LiveFile } from "@/realtime/pipeline-state";

/** Why a file is not searchable: a sentence, what to do, and the detail folded. */
export function Verdict({ pipelineId, file }: { pipelineId: string; file: FileRow | LiveFile }) {
  const failed = file.error != null && (file.state === "failed" || file.state === "queued");
  const skipped = file.state === "skipped" && file.reason != null;
  const code = failed ? file.error?.code : skipped ? file.reason?.code : undefined;
  const advice = useAdvice(pipelineId, code);
  if (!failed && !skipped) return null;
  const waiting = file.state === "queued";
  const Icon = skipped ? CircleSlash : waiting ? Hourglass : CircleX;
  const tone = skipped ? "text-skipped" : waiting ? "text-waiting" : "text-failed";
  return (
    <section
      aria-label="Why this file is not searchable"
      data-testid="verdict"
      className={classes(
        "mt-5 rounded-xl border px-4 py-3.5",
        skipped
          ? "bg-surface"
          : waiting
            ? "border-transparent bg-waiting-soft"
            : "border-transparent bg-failed-soft",
      )}
    >
      <p className={classes("flex items-center gap-2 text-base font-medium", tone)}>
        <Icon size={16} aria-hidden className="shrink-0" />
        {words(code ?? "")}
        {file.error?.stage && <span className="font-normal">in {file.error.stage}</span>}
      </p>
      <p className="mt-1 text-base [overflow-wrap:anywhere]">
        {(failed ? file.error : file.reason)?.message}
      </p>
      {waiting && file.next_attempt_at && (
        <p className="mt-1 text-muted">
          It is tried again by itself <Moment at={file.next_attempt_at} className="num" />.
        </p>
      )}
      {advice && (
        <p className="mt-2 text-pretty" data-testid="what-to-do">
          <span className="font-medium">What to do: </span>
          {advice}
        </p>
      )}
      <div className="mt-3">
        <Retry pipelineId={pipelineId} files={{ file_ids: [file.id] }} />
      </div>
      {file.error && (
        <details className="mt-2">
          <summary className="inline text-muted hover:text-ink">Detail</summary>
          <pre className="mt-2 overflow-x-auto font-mono text-xs text-muted">
            {JSON.stringify(file.error, null, 2)}
          </pre>
        </details>
      )}
    </section>
  );
}

function useAdvice(pipelineId: string, code: string | undefined): string | undefined {
  const path = code ? `/api/pipelines/${encodeURIComponent(pipelineId)}/failures` : null;
  return useResource<FailureGroups>(path).data?.groups.find((group) => group.code === code)?.what_to_do;
}
