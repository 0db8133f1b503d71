"use client";
import { Search, SearchX, ServerCrash, TextSearch } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import { Chips } from "@/components/ui/chips";
import { FileIcon } from "@/components/ui/file-icon";
import { kind, plural } from "@/components/ui/format";
import { Link } from "@/components/ui/link";
import { fileHref } from "@/components/ui/links";
import { Empty } from "@/components/ui/notice";
import { place, Snippet } from "@/components/ui/passage";
import { useQuery } from "@/components/ui/query";
import { Skeleton } from "@/components/ui/section";
import { useSettled } from "@/components/ui/settled";
import { Moment } from "@/components/ui/time";
import type { SearchHit } from "@/contract/types";
import { usePipelineIds } from "@/react/hooks";
import { useClient } from "@/react/provider";
import { useSearch, type Found } from "@/react/queries";
import { MODES, search, TIMES, TYPES } from "./query";
import { visible } from "@/components/ui/visible";

const TYPING_MS = 250;

/** Passages that answer a question, with their file and page. */
export function SearchPage() {
  const [query, setQuery] = useQuery();
  const [text, setText] = useState(query.get("q") ?? "");
  const mode = query.get("mode") ?? "hybrid";
  const pipeline = query.get("pipeline") ?? "";
  const type = query.get("type") ?? "";
  const since = query.get("since") ?? "";
  const { http } = useClient();
  const settled = useSettled(text.trim(), TYPING_MS);
  const found = useSearch(["search", mode, pipeline, type, since], settled, (question, signal) =>
    search(http, question, { mode, pipeline, type, since }, signal),
  );
  useEffect(() => setQuery({ q: text.trim() || null }), [text, setQuery]);
  const filtered = pipeline !== "" || type !== "" || since !== "";
  return (
    <div className="mx-auto max-w-[860px]">
      <h1 className="sr-only">Search</h1>
      <label className="relative block">
        <span className="sr-only">Question</span>
        <Search size={16} aria-hidden className="absolute inset-y-0 left-3.5 my-auto text-faint" />
        <input
          autoFocus
          type="search"
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder="Ask in your own words"
          maxLength={2000}
          data-testid="search-text"
          className="h-11 w-full rounded-lg border border-line-strong bg-surface pr-3 pl-10 text-base placeholder:text-faint"
        />
      </label>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 pt-3 pb-4">
        <Chips
          label="How to search"
          value={mode}
          onChange={(value) => setQuery({ mode: value === "hybrid" ? null : value })}
          chips={Object.entries(MODES).map(([value, label]) => ({ value, label }))}
        />
        <div className="flex w-full gap-2 sm:ml-auto sm:w-auto">
          <Pipelines value={pipeline} onChange={(value) => setQuery({ pipeline: value || null })} />
          <Select
            label="Type"
            value={type}
            onChange={(value) => setQuery({ type: value || null })}
            options={[["", "Any type"], ...Object.entries(TYPES).map(([key, { word }]) => pair(key, word))]}
          />
          <Select
            label="Indexed"
            value={since}
            onChange={(value) => setQuery({ since: value || null })}
            options={[
              ["", "Any time"],
              ...Object.entries(TIMES).map(([key, { word }]) => pair(key, `Indexed ${word}`)),
            ]}
          />
        </div>
      </div>
      <Results
        text={text.trim()}
        found={{ ...found, searching: found.searching || settled !== text.trim() }}
        filtered={filtered}
        onClear={() => setQuery({ pipeline: null, type: null, since: null })}
      />
    </div>
  );
}

function pair(key: string, word: string): [string, string] {
  return [key, word];
}

function Pipelines({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const ids = usePipelineIds();
  if (ids.length < 2 && value === "") return null;
  const all = value === "" || ids.includes(value) ? ids : [...ids, value];
  return (
    <Select
      label="Pipeline"
      value={value}
      onChange={onChange}
      options={[["", "All pipelines"], ...all.map((id) => pair(id, id))]}
    />
  );
}

interface SelectProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  options: [string, string][];
}

function Select({ label, value, onChange, options }: SelectProps) {
  return (
    <select
      aria-label={label}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      className="h-7 max-w-56 min-w-0 flex-1 rounded-md border border-line-strong bg-surface px-2 text-sm text-ink"
    >
      {options.map(([key, word]) => (
        <option key={key} value={key}>
          {word}
        </option>
      ))}
    </select>
  );
}

interface ResultsProps {
  text: string;
  found: Found<SearchHit>;
  filtered: boolean;
  onClear: () => void;
}

function Results({ text, found: { found, searching, error }, filtered, onClear }: ResultsProps) {
  if (text === "")
    return (
      <Empty icon={TextSearch} title="What do you want to know?" className="py-20">
        Passages are found by their meaning, by their words, or by both, each with its file and page.
      </Empty>
    );
  if (error)
    return (
      <Empty icon={ServerCrash} title="The search failed" className="py-20">
        <span data-testid="search-error">{error}</span>
      </Empty>
    );
  if (found.length === 0 && searching) return <ResultsSkeleton />;
  if (found.length === 0)
    return (
      <Empty
        icon={SearchX}
        title="Nothing is found"
        className="py-20"
        action={filtered && <ClearButton onClick={onClear} />}
      >
        {filtered ? "No passage matches within these filters." : "No indexed passage matches."}
      </Empty>
    );
  return (
    <section aria-label="Passages" aria-busy={searching}>
      <p className="num border-b pb-2 text-xs text-faint" role="status">
        {plural(found.length, "passage")}, best first
      </p>
      <ol className={searching ? "opacity-60" : undefined}>
        {found.map((hit) => (
          <Hit key={`${hit.file.pipeline_id} ${hit.file.id} ${hit.chunk_index}`} hit={hit} />
        ))}
      </ol>
    </section>
  );
}

function ClearButton({ onClick }: { onClick: () => void }): ReactNode {
  return (
    <button
      type="button"
      onClick={onClick}
      className="h-7 rounded-md border border-line-strong bg-surface px-2.5 text-sm font-medium hover:bg-hover"
    >
      Search in everything
    </button>
  );
}

function Hit({ hit }: { hit: SearchHit }) {
  const { file } = hit;
  const several = usePipelineIds().length > 1;
  return (
    <li
      data-testid="hit"
      data-name={file.name}
      data-page={hit.page ?? undefined}
      className="relative border-b py-3 last:border-b-0 hover:bg-hover"
    >
      <div className="flex min-w-0 items-center gap-2">
        <FileIcon name={file.name} mimeType={file.mime_type} />
        <Link
          href={fileHref(file.pipeline_id, file.id)}
          className="truncate font-medium after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent"
        >
          {visible(file.name)}
        </Link>
        <span className="num shrink-0 text-xs text-faint">{place(hit)}</span>
        <span className="num ml-auto shrink-0 text-xs text-faint" title={matchedBy(hit)}>
          {hit.score.toFixed(2)}
        </span>
      </div>
      <Snippet hit={hit} className="mt-1 line-clamp-3 max-w-[80ch]" />
      <p className="mt-1 truncate text-xs text-faint">
        {[
          kind(file.mime_type, file.name),
          visible(file.folder),
          several ? file.pipeline_id : "",
          `found by ${matchedBy(hit)}`,
        ]
          .filter(Boolean)
          .join(" · ")}
        {" · indexed "}
        <Moment at={file.indexed_at} />
      </p>
    </li>
  );
}

function matchedBy({ matched }: SearchHit): string {
  if (matched.length > 1) return "meaning and words";
  return matched[0] === "text" ? "its words" : "its meaning";
}

function ResultsSkeleton() {
  return (
    <div aria-busy="true" aria-label="Searching" className="space-y-5 pt-4">
      {Array.from({ length: 5 }, (_, index) => (
        <div key={index}>
          <Skeleton className="h-4 w-56" />
          <Skeleton className="mt-2 h-3 w-full" />
          <Skeleton className="mt-1.5 h-3 w-3/4" />
        </div>
      ))}
    </div>
  );
}
