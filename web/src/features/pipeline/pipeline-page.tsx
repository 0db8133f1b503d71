"use client";
import { Search, X } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { shownCount, SHOWN as CHIPS, totalOf } from "@/components/live/count-bar";
import { PipelineFrame } from "@/components/live/pipeline-header";
import { ProgressList } from "@/components/live/progress-list";
import { Chips } from "@/components/ui/chips";
import { classes } from "@/components/ui/classes";
import { count, words } from "@/components/ui/format";
import { pipelineIn } from "@/components/ui/links";
import { useQuery } from "@/components/ui/query";
import { LOOKS, StateIcon } from "@/components/ui/state";
import { useSettled } from "@/components/ui/settled";
import type { PipelineState } from "@/client/pipeline-state";
import { Failures } from "./failures";
import { sortIn } from "./file-list";
import { useFilePages } from "./file-pages";
import { FileTable } from "./file-table";

const SHOWN_PROGRESS = 12;
const TYPING_MS = 200;

export function PipelinePage() {
  const [query] = useQuery();
  return (
    <PipelineFrame id={pipelineIn(query)} tab="files">
      {(state) => <Files state={state} />}
    </PipelineFrame>
  );
}

function Files({ state }: { state: PipelineState }) {
  const [query, setQuery] = useQuery();
  const files = useRef<HTMLDivElement>(null);
  const running = useMemo(
    () => state.processing.map((fileId) => ({ pipelineId: state.id, fileId })),
    [state.id, state.processing],
  );
  return (
    <div className="space-y-7 pt-5">
      {(state.facts.status === "online" || running.length > 0) && (
        <ProgressList running={running} limit={SHOWN_PROGRESS} />
      )}
      <Failures
        state={state}
        onShow={(group) => {
          setQuery({ state: group.state, code: group.code, q: null });
          files.current?.scrollIntoView({ block: "start", behavior: "smooth" });
        }}
      />
      <div ref={files} className="scroll-mt-16">
        <FileList state={state} filter={query.get("state") ?? ""} code={query.get("code") ?? ""} />
      </div>
    </div>
  );
}

function FileList({ state, filter, code }: { state: PipelineState; filter: string; code: string }) {
  const [query, setQuery] = useQuery();
  const sort = sortIn(query.get("sort"));
  const [text, setText] = useState(query.get("q") ?? "");
  const settled = useSettled(text.trim(), TYPING_MS);
  const filters = useMemo(() => ({ state: filter, code, text: settled }), [filter, code, settled]);
  const pages = useFilePages(state, filters, sort);
  useEffect(() => setQuery({ q: settled || null }), [settled, setQuery]);
  const waits = filter === "waiting" || shownCount(state.counts, "waiting") > 0;
  const chosen = CHIPS.filter((each) => each !== "waiting" || waits);
  const clear = () => {
    setText("");
    setQuery({ state: null, code: null, q: null });
  };
  return (
    <section aria-label="Files">
      <div className="flex flex-col gap-2 pb-2 lg:flex-row lg:items-center">
        <Chips
          label="Files by state"
          value={filter}
          onChange={(value) => setQuery({ state: value || null, code: null })}
          chips={[
            { value: "", label: <ChipLabel word="All" value={totalOf(state.counts)} testId="count-all" /> },
            ...chosen.map((each) => ({
              value: each,
              label: <StateChip state={each} value={shownCount(state.counts, each)} />,
            })),
          ]}
        />
        {code && (
          <button
            type="button"
            onClick={() => setQuery({ code: null })}
            className="inline-flex h-7 items-center gap-1 self-start rounded-md bg-accent-soft px-2 text-accent"
          >
            {words(code)} <X size={13} aria-label="Remove this filter" />
          </button>
        )}
        <label className="relative lg:ml-auto lg:w-64">
          <span className="sr-only">Filter by name</span>
          <Search size={14} aria-hidden className="absolute inset-y-0 left-2.5 my-auto text-faint" />
          <input
            type="search"
            value={text}
            onChange={(event) => setText(event.target.value)}
            placeholder="Filter by name"
            data-testid="file-filter"
            className="h-7 w-full rounded-md border border-line-strong bg-surface pr-2 pl-8 placeholder:text-faint"
          />
        </label>
      </div>
      <FileTable
        pipelineId={state.id}
        pages={pages}
        sort={sort}
        onSort={(value) => setQuery({ sort: value === "updated" ? null : value })}
        filtered={filter !== "" || settled !== "" || code !== ""}
        onClear={clear}
      />
    </section>
  );
}

function ChipLabel({ word, value, testId }: { word: string; value: number; testId: string }) {
  return (
    <>
      {word}
      <span className="num text-faint" data-testid={testId}>
        {count(value)}
      </span>
    </>
  );
}

function StateChip({ state, value }: { state: (typeof CHIPS)[number]; value: number }) {
  return (
    <>
      <StateIcon state={state} size={13} className={classes("animate-none!", value === 0 && "text-faint!")} />
      <ChipLabel
        word={state === "waiting" ? "Waiting" : LOOKS[state].word}
        value={value}
        testId={`count-${state}`}
      />
    </>
  );
}
