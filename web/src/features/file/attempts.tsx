"use client";
import { Ban, CircleCheck, CircleSlash, CircleX, LoaderCircle, Unplug, type LucideIcon } from "lucide-react";
import { attemptSeconds } from "@/components/ui/attempt-seconds";
import { classes } from "@/components/ui/classes";
import { duration } from "@/components/ui/format";
import { Section } from "@/components/ui/section";
import { StageProgress, STAGE_WORDS } from "@/components/ui/stage-progress";
import { isHeld, LOOKS as STANDINGS, shownState } from "@/components/ui/state";
import { Elapsed, Moment } from "@/components/ui/time";
import type { Attempt, Stage } from "@/contract/types";
import type { LiveFile } from "@/client/file-state";
import { visible } from "@/components/ui/visible";

type Outcome = Attempt["outcome"];

const LOOKS: Record<Outcome, { word: string; icon: LucideIcon; tone: string }> = {
  running: { word: "Running", icon: LoaderCircle, tone: "text-processing" },
  completed: { word: "Completed", icon: CircleCheck, tone: "text-completed" },
  failed: { word: "Failed", icon: CircleX, tone: "text-failed" },
  skipped: { word: "Skipped", icon: CircleSlash, tone: "text-skipped" },
  lost: { word: "Worker lost", icon: Unplug, tone: "text-waiting" },
  cancelled: { word: "Cancelled", icon: Ban, tone: "text-muted" },
};

const NOUNS: Record<Stage, string> = {
  extraction: "Extraction",
  chunking: "Chunking",
  embedding: "Embedding",
  storing: "Storing",
};

/** Stages differ by shade; colour means state. */
const SHADES: Record<Stage, string> = {
  extraction: "bg-ink/75",
  chunking: "bg-ink/25",
  embedding: "bg-ink/50",
  storing: "bg-ink/15",
};

/** A part of an attempt's time. */
interface Part {
  name: string;
  seconds: number;
  shade: string;
  hint?: string;
}

const SHORTEST_WAIT_SECONDS = 0.001;

export function Attempts({ attempts, live }: { attempts: Attempt[]; live: LiveFile | undefined }) {
  const newest = [...attempts].sort((a, b) => b.attempt - a.attempt);
  const longest = Math.max(0, ...attempts.map((attempt) => totalOf(partsOf(attempt))));
  return (
    <Section title="Attempts" count={attempts.length || null}>
      {attempts.length === 0 ? (
        <p className="py-3 text-faint">None yet: the file is queued.</p>
      ) : (
        <ol>
          {newest.map((attempt) => (
            <AttemptRow key={attempt.attempt} attempt={attempt} live={live} longest={longest} />
          ))}
        </ol>
      )}
    </Section>
  );
}

interface AttemptRowProps {
  attempt: Attempt;
  live: LiveFile | undefined;
  /** Seconds of the longest attempt: the bars of all share one scale. */
  longest: number;
}

function AttemptRow({ attempt, live, longest }: AttemptRowProps) {
  const running = attempt.outcome === "running";
  const standing = running && live?.attempt === attempt.attempt ? shownState(live) : null;
  const {
    word,
    icon: Icon,
    tone,
  } = standing && isHeld(standing)
    ? { ...STANDINGS[standing], tone: STANDINGS[standing].text }
    : LOOKS[attempt.outcome];
  return (
    <li className="border-b py-3 last:border-b-0" data-testid="attempt" data-outcome={attempt.outcome}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-0.5">
        <span className={classes("inline-flex items-center gap-1.5 font-medium", tone)}>
          <Icon
            size={14}
            aria-hidden
            className={classes(Icon === LoaderCircle && "animate-[spin_1.8s_linear_infinite]")}
          />
          {word}
        </span>
        <span className="text-muted">attempt {attempt.attempt}</span>
        <Moment at={attempt.started_at} className="num text-faint" />
        {attempt.worker && (
          <span
            className="max-w-56 truncate font-mono text-xs text-faint max-sm:hidden"
            title={visible(attempt.worker)}
          >
            {visible(attempt.worker)}
          </span>
        )}
        <span className="num ml-auto font-medium">
          {attempt.finished_at ? duration(attemptSeconds(attempt)) : <Elapsed since={attempt.started_at} />}
        </span>
      </div>
      {running &&
      live?.state === "processing" &&
      live.attempt === attempt.attempt &&
      live.processing_stage ? (
        <StageProgress
          stage={live.processing_stage}
          progress={live.progress ?? 0}
          label={STAGE_WORDS[live.processing_stage]}
          held={isHeld(shownState(live))}
          className="mt-2.5"
        />
      ) : (
        <Parts parts={partsOf(attempt)} longest={longest} />
      )}
      {attempt.error && (
        <p className="mt-2 text-muted [overflow-wrap:anywhere]">
          <span className="font-mono text-xs text-faint">{attempt.error.code}</span>{" "}
          {visible(attempt.error.message)}
        </p>
      )}
    </li>
  );
}

/** The stages of an attempt, and the rest of its time, so that the parts add up to the whole. */
function partsOf(attempt: Attempt): Part[] {
  if (attempt.stages.length === 0) return [];
  const parts = attempt.stages.map(({ stage, duration: seconds }): Part => ({
    name: NOUNS[stage],
    seconds,
    shade: SHADES[stage],
  }));
  const rest = (attemptSeconds(attempt) ?? 0) - totalOf(parts);
  if (rest < SHORTEST_WAIT_SECONDS) return parts;
  const hint = "For a free extractor, and between stages";
  return [...parts, { name: "Waiting", seconds: rest, shade: "border border-line-strong", hint }];
}

function totalOf(parts: Part[]): number {
  return parts.reduce((sum, { seconds }) => sum + seconds, 0);
}

function Parts({ parts, longest }: { parts: Part[]; longest: number }) {
  const total = totalOf(parts);
  if (total === 0) return null;
  return (
    <>
      <div
        aria-hidden
        className="mt-2.5 flex h-2 min-w-12 gap-px overflow-hidden rounded-[3px]"
        style={{ width: `${(total / longest) * 100}%` }}
      >
        {parts.map(({ name, seconds, shade }) => (
          <span
            key={name}
            className={classes("min-w-[2px]", shade)}
            style={{ flexGrow: seconds / total, flexBasis: 0 }}
          />
        ))}
      </div>
      <ul className="mt-2 flex flex-wrap gap-x-5 gap-y-1 text-xs">
        {parts.map(({ name, seconds, shade, hint }) => (
          <li key={name} title={hint} className="inline-flex items-center gap-1.5">
            <span aria-hidden className={classes("size-2 rounded-[2px]", shade)} />
            <span className="text-muted">{name}</span>
            <span className="num">{duration(seconds)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
