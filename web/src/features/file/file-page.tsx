"use client";
import { ChevronLeft, ExternalLink, FileX, ServerCrash } from "lucide-react";
import { useEffect, type ReactNode } from "react";
import { Button, buttonClass } from "@/components/ui/button";
import { FileIcon } from "@/components/ui/file-icon";
import { bytes, count, kind, money, percent, words } from "@/components/ui/format";
import { Link } from "@/components/ui/link";
import { pipelineHref } from "@/components/ui/links";
import { Empty } from "@/components/ui/notice";
import { useQuery } from "@/components/ui/query";
import { Skeleton } from "@/components/ui/section";
import { STAGE_WORDS } from "@/components/ui/stage-progress";
import { shownState, StateLabel } from "@/components/ui/state";
import { Elapsed, Moment } from "@/components/ui/time";
import type { FileDetail, FileRow } from "@/contract/types";
import { currentFile, type LiveFile } from "@/client/file-state";
import { useLiveFile } from "@/react/hooks";
import { pipelinePath, usePipelineQuery } from "@/react/queries";
import { Attempts } from "./attempts";
import { Chunks } from "./chunks";
import { FileEvents } from "./file-events";
import { Verdict } from "./verdict";
import { visible } from "@/components/ui/visible";

export function FilePage() {
  const [query] = useQuery();
  return (
    <Page key={query.toString()} pipelineId={query.get("pipeline") ?? ""} fileId={query.get("id") ?? ""} />
  );
}

function Page({ pipelineId, fileId }: { pipelineId: string; fileId: string }) {
  const live = useLiveFile(pipelineId, fileId);
  const path = pipelinePath(pipelineId, `files/${encodeURIComponent(fileId)}`);
  // Attempts and chunks are in no event; they change with the file's own events only.
  const changed = live?.updated_at ?? "";
  const { data, error, refetch } = usePipelineQuery<FileDetail>(pipelineId, path, changed);
  const name = data?.file.name;
  useEffect(() => {
    if (name) document.title = `${visible(name)} · raglive`;
  }, [name]);
  if (!data && error)
    return error.status === 404 ? (
      <Empty icon={FileX} title="There is no such file, or you may not see it" className="py-24">
        It may have been removed from its source, and with it from the index.
      </Empty>
    ) : (
      <Empty
        icon={ServerCrash}
        title="The file could not be loaded"
        action={<Button onClick={() => void refetch()}>Try again</Button>}
        className="py-24"
      >
        {error.message}
      </Empty>
    );
  if (!data) return <FileSkeleton />;
  const file = currentFile(data.file, live);
  return (
    <div data-stales data-testid="file-page" data-state={file.state}>
      <Head pipelineId={pipelineId} file={file} />
      <Verdict pipelineId={pipelineId} file={file} advice={data.what_to_do} />
      <div className="mt-6 grid grid-cols-1 gap-x-12 gap-y-8 lg:grid-cols-[minmax(0,1fr)_280px]">
        <div className="min-w-0 space-y-8">
          <Attempts attempts={data.attempts} live={live} />
          <Chunks pipelineId={pipelineId} detail={data} version={changed} />
        </div>
        <aside className="min-w-0 space-y-8 max-lg:row-start-1">
          <Facts file={file} detail={data} />
          <div className="max-lg:hidden">
            <FileEvents pipelineId={pipelineId} fileId={fileId} />
          </div>
        </aside>
        <div className="lg:hidden">
          <FileEvents pipelineId={pipelineId} fileId={fileId} />
        </div>
      </div>
    </div>
  );
}

function Head({ pipelineId, file }: { pipelineId: string; file: FileRow | LiveFile }) {
  return (
    <div>
      <Link
        href={pipelineHref(pipelineId)}
        className="inline-flex items-center gap-0.5 text-faint hover:text-ink"
      >
        <ChevronLeft size={14} aria-hidden className="-ml-1" />
        {pipelineId}
      </Link>
      <div className="mt-1 flex flex-wrap items-start gap-x-6 gap-y-2">
        <div className="min-w-0 flex-1 basis-72">
          <h1 className="flex items-start gap-2 text-[18px] leading-7 font-semibold tracking-[-0.01em]">
            <span className="mt-1.5">
              <FileIcon name={file.name} mimeType={file.mime_type} />
            </span>
            <span className="line-clamp-3 [overflow-wrap:anywhere]" title={visible(file.name)}>
              {visible(file.name)}
            </span>
          </h1>
        </div>
        <div className="flex items-center gap-3">
          <FileState file={file} />
          {isWeb(file.url) && (
            <a href={file.url} target="_blank" rel="noreferrer" className={buttonClass()}>
              Open <ExternalLink size={13} aria-hidden />
            </a>
          )}
        </div>
      </div>
    </div>
  );
}

function FileState({ file }: { file: FileRow | LiveFile }) {
  if (shownState(file) === "processing" && file.processing_stage)
    return (
      <span className="num text-base font-medium text-processing" data-testid="file-state">
        {STAGE_WORDS[file.processing_stage]} {percent(file.progress)}
        {file.started_at && (
          <span className="ml-2 font-normal text-faint">
            <Elapsed since={file.started_at} />
          </span>
        )}
      </span>
    );
  return (
    <span data-testid="file-state" className="inline-flex items-center gap-2">
      <StateLabel state={shownState(file)} className="text-base font-medium" />
      <Moment at={since(file)} className="num text-faint" />
    </span>
  );
}

function since(file: FileRow | LiveFile): string {
  if (file.state === "processing" && file.moved_at) return file.moved_at;
  if (shownState(file) === "waiting" && file.next_attempt_at) return file.next_attempt_at;
  return file.finished_at ?? file.updated_at;
}

function Facts({ file, detail }: { file: FileRow | LiveFile; detail: FileDetail }) {
  const { results } = file;
  const facts: [string, ReactNode][] = [
    ["Folder", file.folder === "" ? "/" : visible(file.folder)],
    ["Type", kind(file.mime_type, file.name)],
    ["Size", bytes(file.size)],
    ...(results
      ? ([
          ["Chunks", count(results.chunks_created)],
          ["Newly embedded", count(results.embeddings_generated)],
          ["Text", `${count(results.content_length)} characters`],
        ] satisfies [string, ReactNode][])
      : []),
    ["Attempts", count(file.attempt)],
    ...(detail.usage.tokens > 0
      ? ([
          ["Tokens paid for", count(detail.usage.tokens)],
          ["Cost", detail.usage.cost > 0 ? money(detail.usage.cost) : "–"],
        ] satisfies [string, ReactNode][])
      : []),
    ["First seen", <Moment key="first" at={detail.file.first_seen_at} />],
    ["Last change", <Moment key="last" at={file.updated_at} />],
  ];
  return (
    <dl className="grid grid-cols-2 gap-x-6 sm:grid-cols-3 lg:block">
      {facts.map(([name, value]) => (
        <div key={name} className="flex flex-col gap-x-4 border-b py-1.5 lg:flex-row lg:justify-between">
          <dt className="shrink-0 text-faint">{name}</dt>
          <dd
            className="num min-w-0 truncate lg:text-right"
            title={typeof value === "string" ? value : undefined}
          >
            {value}
          </dd>
        </div>
      ))}
      <div className="col-span-full flex flex-col gap-x-4 border-b py-1.5 lg:border-b-0">
        <dt className="text-faint">Identity</dt>
        <dd className="truncate font-mono text-xs text-muted" title={visible(file.id)}>
          {visible(file.id)}
        </dd>
      </div>
    </dl>
  );
}

/** A source may give any address; only web addresses become links. */
function isWeb(url: string | null | undefined): url is string {
  return /^https?:\/\//i.test(url ?? "");
}

function FileSkeleton() {
  return (
    <div aria-busy="true" aria-label={words("loading")}>
      <Skeleton className="h-4 w-40" />
      <Skeleton className="mt-3 h-6 w-96 max-w-full" />
      <div className="mt-8 grid grid-cols-1 gap-12 lg:grid-cols-[minmax(0,1fr)_280px]">
        <div className="space-y-4">
          <Skeleton className="h-24 w-full" />
          <Skeleton className="h-40 w-full" />
        </div>
        <Skeleton className="h-64 w-full" />
      </div>
    </div>
  );
}
