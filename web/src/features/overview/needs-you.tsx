"use client";
import { CircleCheck, CirclePause } from "lucide-react";
import { count, words } from "@/components/ui/format";
import { Link } from "@/components/ui/link";
import { pipelineHref } from "@/components/ui/links";
import { Prose } from "@/components/ui/prose";
import { Section } from "@/components/ui/section";
import { StateIcon } from "@/components/ui/state";
import { Moment } from "@/components/ui/time";
import type { FailureGroup } from "@/contract/types";
import type { PipelineState } from "@/client/pipeline-state";

/** Pauses that do not end without action. */
const FOR_SOMEBODY = new Set(["embedding_budget_spent", "embedding_budget_too_small"]);

/** What blocks a pipeline, and which files failed permanently, by reason, with what to do. */
export function NeedsYou({ pipelines }: { pipelines: readonly PipelineState[] }) {
  const paused = pipelines.filter(({ facts }) => facts.paused && facts.status === "online");
  const reasons = pipelines
    .map(({ id, failures }) => ({ id, groups: failures?.filter(needsSomebody) ?? [] }))
    .filter(({ groups }) => groups.length > 0);
  const failed = pipelines.reduce((sum, { counts }) => sum + counts.failed, 0);
  const waiting = reasons
    .flatMap(({ groups }) => groups)
    .reduce((sum, group) => sum + (group.state === "waiting" ? group.count : 0), 0);
  const all = failed + paused.length + waiting;
  const named = pipelines.length > 1;
  return (
    <Section title="Needs you" count={all > 0 ? count(all) : null}>
      {paused.map((state) => (
        <Paused key={state.id} state={state} named={named} />
      ))}
      {all === 0 && (
        <p className="flex items-center gap-1.5 py-3 text-faint">
          <CircleCheck size={14} aria-hidden className="text-completed" /> Nothing failed.
        </p>
      )}
      {reasons.map(({ id, groups }) => (
        <ul key={id} className="border-b last:border-b-0">
          {groups.map((group) => (
            <Reason
              key={`${group.state} ${group.code} ${group.stage ?? ""}`}
              id={id}
              group={group}
              named={named}
            />
          ))}
        </ul>
      ))}
    </Section>
  );
}

function Paused({ state: { id, facts }, named }: { state: PipelineState; named: boolean }) {
  if (!facts.paused) return null;
  const { code, message, what_to_do, since } = facts.paused;
  return (
    <Link
      href={pipelineHref(id)}
      data-testid="needs-pause"
      className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 border-b py-2 hover:bg-hover"
    >
      <span className="flex h-5 items-center gap-2 text-waiting">
        <CirclePause size={14} aria-hidden />
        <span className="min-w-5" />
      </span>
      <span className="min-w-0">
        <span className="font-medium">{words(code)}</span>
        <span className="text-faint">
          {" · paused "}
          <Moment at={since} />
          {named && ` · ${id}`}
        </span>
        <span className="line-clamp-2 text-muted">
          <Prose text={what_to_do ?? message} />
        </span>
      </span>
    </Link>
  );
}

function needsSomebody({ state, code }: FailureGroup): boolean {
  return state === "failed" || (state === "waiting" && FOR_SOMEBODY.has(code));
}

function Reason({ id, group, named }: { id: string; group: FailureGroup; named: boolean }) {
  return (
    <li className="border-b last:border-b-0">
      <Link
        href={pipelineHref(id, { state: group.state, code: group.code })}
        className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 py-2 hover:bg-hover"
      >
        <span className="flex h-5 items-center gap-2">
          <StateIcon state={group.state} />
          <span className="num min-w-5 text-right font-medium">{count(group.count)}</span>
        </span>
        <span className="min-w-0">
          <span className="font-medium">{words(group.code)}</span>
          {named && <span className="text-faint"> · {id}</span>}
          <span className="line-clamp-2 text-muted">
            <Prose text={group.what_to_do || group.message} />
          </span>
        </span>
      </Link>
    </li>
  );
}
