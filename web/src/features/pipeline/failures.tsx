"use client";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { Retry } from "@/components/live/retry";
import { Button } from "@/components/ui/button";
import { classes } from "@/components/ui/classes";
import { count, plural, words } from "@/components/ui/format";
import { Prose } from "@/components/ui/prose";
import { Section } from "@/components/ui/section";
import { StateIcon } from "@/components/ui/state";
import { Moment } from "@/components/ui/time";
import type { FailureGroup } from "@/contract/types";
import type { PipelineState } from "@/client/pipeline-state";
import { visible } from "@/components/ui/visible";

const SHOWN = 4;

interface FailuresProps {
  state: PipelineState;
  onShow: (group: FailureGroup) => void;
}

/** Why files are not searchable, by reason, and what to do about each. */
export function Failures({ state, onShow }: FailuresProps) {
  const [all, setAll] = useState(false);
  const { failed, skipped, waiting } = state.counts;
  const groups = state.failures ?? [];
  const broken = groups.filter((group) => group.state === "failed");
  const waits = groups.filter((group) => group.state === "waiting");
  const left = groups.filter((group) => group.state === "skipped");
  if (failed + skipped + waiting === 0 || groups.length === 0) return null;
  return (
    <Section
      title="Not searchable"
      count={count(failed + skipped + waiting)}
      aside={broken.length > 1 && <Retry pipelineId={state.id} files={{}} label="Retry all" />}
    >
      <ul>
        {(all ? broken : broken.slice(0, SHOWN)).map((group) => (
          <Group key={`${group.code} ${group.stage}`} pipelineId={state.id} group={group} onShow={onShow} />
        ))}
      </ul>
      {!all && broken.length > SHOWN && (
        <Button variant="plain" onClick={() => setAll(true)} className="my-1 -ml-2.5">
          {plural(broken.length - SHOWN, "more reason")}
        </Button>
      )}
      {waits.length > 0 && (
        <ul>
          {waits.map((group) => (
            <Group key={`${group.code} ${group.stage}`} pipelineId={state.id} group={group} onShow={onShow} />
          ))}
        </ul>
      )}
      {left.length > 0 && (
        <details className="group/skipped border-b" open={broken.length === 0 && left.length < 3}>
          <summary className="flex h-9 list-none items-center gap-2 text-muted hover:text-ink [&::-webkit-details-marker]:hidden">
            <ChevronRight
              size={14}
              aria-hidden
              className="transition-transform group-open/skipped:rotate-90"
            />
            {plural(skipped, "file")} skipped, for {plural(left.length, "reason")}
          </summary>
          <ul className="pl-5">
            {left.map((group) => (
              <Group key={group.code} pipelineId={state.id} group={group} onShow={onShow} />
            ))}
          </ul>
        </details>
      )}
    </Section>
  );
}

const TONES = { failed: "text-failed", waiting: "text-waiting", skipped: "" };

interface GroupProps {
  pipelineId: string;
  group: FailureGroup;
  onShow: (group: FailureGroup) => void;
}

function Group({ pipelineId, group, onShow }: GroupProps) {
  return (
    <li
      data-testid="failure-group"
      data-code={group.code}
      data-state={group.state}
      className="grid grid-cols-[auto_minmax(0,1fr)] items-start gap-x-3 gap-y-0.5 border-b py-2.5 last:border-b-0 sm:grid-cols-[auto_minmax(0,1fr)_auto] lg:grid-cols-[auto_minmax(0,1fr)_minmax(0,1fr)_232px] lg:gap-x-6"
    >
      <span className="flex items-center gap-3">
        <StateIcon state={group.state} />
        <span className="num min-w-6 text-right font-medium">{count(group.count)}</span>
      </span>
      <div className="min-w-0">
        <p>
          <span className={classes("font-medium", TONES[group.state])}>{words(group.code)}</span>
          {group.stage && <span className="text-faint"> · in {group.stage}</span>}
          {group.next_attempt_at && (
            <span className="text-faint">
              {" · tried again "}
              <Moment due at={group.next_attempt_at} className="num" />
            </span>
          )}
        </p>
        {group.is_common ? (
          <p className="line-clamp-2 text-muted [overflow-wrap:anywhere]" title={visible(group.message)}>
            {visible(group.message)}
          </p>
        ) : (
          <p className="text-muted">Each file has a message of its own.</p>
        )}
      </div>
      <p className="col-start-2 row-start-2 text-pretty sm:col-end-4 lg:col-start-3 lg:col-end-4 lg:row-start-1">
        <Prose text={group.what_to_do} />
      </p>
      <span className="col-start-2 mt-1 flex flex-wrap items-center gap-2 sm:col-start-3 sm:row-start-1 sm:mt-0 sm:justify-end lg:col-start-4">
        {group.state !== "skipped" && (
          <Retry
            pipelineId={pipelineId}
            files={{ code: group.code }}
            label={group.state === "waiting" ? "Retry now" : "Retry"}
          />
        )}
        <Button onClick={() => onShow(group)}>Show files</Button>
      </span>
    </li>
  );
}
