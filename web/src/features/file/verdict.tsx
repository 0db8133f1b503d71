"use client";
import { Retry } from "@/components/live/retry";
import { classes } from "@/components/ui/classes";
import { words } from "@/components/ui/format";
import { STAGE_WORDS } from "@/components/ui/stage-progress";
import { LOOKS, shownState, StateIcon, type ShownState } from "@/components/ui/state";
import { Elapsed, Moment } from "@/components/ui/time";
import type { FileRow } from "@/contract/types";
import type { LiveFile } from "@/client/file-state";
import { visible, visibleLines } from "@/components/ui/visible";

type Shown = "failed" | "waiting" | "skipped" | "stuck" | "lost";

const FRAMES: Record<Shown, string> = {
  failed: "border-transparent bg-failed-soft",
  waiting: "border-transparent bg-waiting-soft",
  stuck: "border-transparent bg-waiting-soft",
  lost: "border-transparent bg-waiting-soft",
  skipped: "bg-surface",
};

interface VerdictProps {
  pipelineId: string;
  file: FileRow | LiveFile;
  advice: string | null;
}

/** Why a file is not searchable or makes no progress: a sentence, what to do, and the folded detail. */
export function Verdict({ pipelineId, file, advice }: VerdictProps) {
  const state = shownState(file);
  if (!isTroubled(state)) return null;
  const held = state === "stuck" || state === "lost";
  if (!held && !(state === "skipped" ? file.reason : file.error)) return null;
  return (
    <section
      aria-label="Why this file is not searchable"
      data-testid="verdict"
      data-standing={state}
      className={classes("mt-5 rounded-xl border px-4 py-3.5", FRAMES[state])}
    >
      {held ? (
        <Held file={file} state={state} />
      ) : (
        <Reason pipelineId={pipelineId} file={file} state={state} advice={advice} />
      )}
    </section>
  );
}

function isTroubled(state: ShownState): state is Shown {
  return state in FRAMES;
}

/** In progress, but it makes no progress. */
function Held({ file, state }: { file: FileRow | LiveFile; state: "stuck" | "lost" }) {
  const stage = STAGE_WORDS[file.processing_stage ?? "extraction"].toLowerCase();
  const since = file.moved_at ?? file.started_at;
  return (
    <>
      <Title state={state}>
        {LOOKS[state].word} <span className="font-normal">while {stage}</span>
      </Title>
      <p className="mt-1 text-base">
        {state === "stuck" ? "It has made no progress for " : "Its worker was last heard from "}
        {since && (state === "stuck" ? <Elapsed since={since} className="num" /> : <Moment at={since} />)}.
      </p>
      <p className="mt-2 text-pretty" data-testid="what-to-do">
        <span className="font-medium">What to do: </span>
        {state === "stuck"
          ? "Nothing yet: every step has a time-out, after which the file is retried. If it stays stuck, read the pipeline's log."
          : "Start the pipeline if it is not running. Another worker then takes over the file and continues from what is done."}
      </p>
    </>
  );
}

interface ReasonProps extends VerdictProps {
  state: Shown;
}

function Reason({ pipelineId, file, state, advice }: ReasonProps) {
  const why = state === "skipped" ? file.reason : file.error;
  return (
    <>
      <Title state={state}>
        {words(why?.code ?? "")}
        {state !== "skipped" && file.error?.stage && (
          <span className="font-normal"> in {file.error.stage}</span>
        )}
      </Title>
      <p className="mt-1 text-base [overflow-wrap:anywhere]">{visible(why?.message ?? "")}</p>
      {state === "waiting" && file.next_attempt_at && (
        <p className="mt-1 text-muted">
          It is retried automatically <Moment due at={file.next_attempt_at} className="num" />.
        </p>
      )}
      {advice && (
        <p className="mt-2 text-pretty" data-testid="what-to-do">
          <span className="font-medium">What to do: </span>
          {advice}
        </p>
      )}
      <div className="mt-3">
        <Retry
          pipelineId={pipelineId}
          files={{ file_ids: [file.id] }}
          label={state === "waiting" ? "Retry now" : "Retry"}
        />
      </div>
      {file.error && (
        <details className="mt-2">
          <summary className="inline text-muted hover:text-ink">Detail</summary>
          <pre className="mt-2 overflow-x-auto font-mono text-xs text-muted">
            {visibleLines(JSON.stringify(file.error, null, 2))}
          </pre>
        </details>
      )}
    </>
  );
}

function Title({ state, children }: { state: Shown; children: React.ReactNode }) {
  return (
    <p className={classes("flex items-center gap-2 text-base font-medium", LOOKS[state].text)}>
      <StateIcon state={state} size={16} />
      <span>{children}</span>
    </p>
  );
}
