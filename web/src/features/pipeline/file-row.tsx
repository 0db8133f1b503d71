"use client";
import { memo, type ReactNode } from "react";
import { classes } from "@/components/ui/classes";
import { FileIcon } from "@/components/ui/file-icon";
import { bytes, count, duration, kind, percent, plural } from "@/components/ui/format";
import { Link } from "@/components/ui/link";
import { fileHref } from "@/components/ui/links";
import { STAGE_WORDS } from "@/components/ui/stage-progress";
import { isHeld, LOOKS, shownState, StateIcon, StateLabel, type ShownState } from "@/components/ui/state";
import { Moment } from "@/components/ui/time";
import { useLiveFile } from "@/react/hooks";
import { currentFile } from "@/client/file-state";
import { attemptSeconds } from "@/components/ui/attempt-seconds";
import type { File } from "./file-list";
import { visible } from "@/components/ui/visible";

/** Shared by the head and the rows, so that they align. */
export const COLUMNS =
  "grid grid-cols-[20px_minmax(0,1fr)_auto] gap-x-2 sm:grid-cols-[136px_minmax(0,1fr)_72px_80px] sm:gap-x-4 lg:grid-cols-[136px_minmax(0,1fr)_88px_72px_64px_80px_88px]";

interface FileRowProps {
  pipelineId: string;
  row: File;
}

/** One file: its row, updated by events. */
export const FileRow = memo(function FileRow({ pipelineId, row }: FileRowProps) {
  const file = currentFile(row, useLiveFile(pipelineId, row.id));
  const state = shownState(file);
  return (
    <div
      role="row"
      data-testid="file-row"
      data-file-id={row.id}
      data-name={file.name}
      data-state={file.state}
      data-standing={state}
      className={classes(
        COLUMNS,
        "group relative h-full items-center border-b hover:bg-hover",
        state === "deleted" && "opacity-60",
      )}
    >
      <Cell className="hidden sm:block">
        <FileState file={file} state={state} />
      </Cell>
      <Cell className="sm:hidden">
        <StateIcon state={state} size={16} />
      </Cell>
      <Cell className="flex min-w-0 flex-col sm:flex-row sm:items-center sm:gap-2">
        <span className="hidden sm:inline">
          <FileIcon name={file.name} mimeType={file.mime_type} />
        </span>
        <Link
          href={fileHref(pipelineId, row.id)}
          data-row-link
          className="truncate after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent sm:max-w-[70%] sm:shrink-0"
        >
          {visible(file.name)}
        </Link>
        <span className="min-w-0 truncate text-xs text-faint sm:text-sm" title={remark(file)}>
          <span className="sm:hidden">
            <Progress file={file} state={state} />
            {facts(file)}
          </span>
          {remark(file)}
        </span>
      </Cell>
      <Cell className="hidden truncate text-muted lg:block">{kind(file.mime_type, file.name)}</Cell>
      <Cell className="num hidden text-right text-muted sm:block">{bytes(file.size)}</Cell>
      <Cell className="num hidden text-right text-muted lg:block">
        {file.results ? count(file.results.chunks_created) : "–"}
      </Cell>
      <Cell className="num hidden text-right text-muted lg:block">{duration(attemptSeconds(file))}</Cell>
      <Cell className="num text-right text-xs text-faint sm:text-sm">
        <Moment at={file.updated_at} />
      </Cell>
    </div>
  );
});

function Cell({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <div role="cell" className={className}>
      {children}
    </div>
  );
}

function FileState({ file, state }: { file: File; state: ShownState }) {
  if (state === "processing" && file.processing_stage)
    return (
      <span className="flex items-center gap-1.5 text-processing">
        <StateIcon state={state} />
        <span className="flex-1">{STAGE_WORDS[file.processing_stage]}</span>
        <span className="num">{percent(file.progress)}</span>
      </span>
    );
  return (
    <span className="flex items-center gap-1.5">
      <StateLabel state={state} quiet={state !== "failed" && state !== "waiting" && !isHeld(state)} />
      {state === "waiting" && <Moment due at={file.next_attempt_at} className="num text-xs text-faint" />}
    </span>
  );
}

function Progress({ file, state }: { file: File; state: ShownState }) {
  if (isHeld(state)) return <span className="text-waiting">{LOOKS[state].word} · </span>;
  if (state === "waiting")
    return (
      <span className="num text-waiting">
        <Moment due at={file.next_attempt_at} /> ·{" "}
      </span>
    );
  if (file.state !== "processing" || !file.processing_stage) return null;
  return (
    <span className="num text-processing">
      {STAGE_WORDS[file.processing_stage]} {percent(file.progress)}{" "}
    </span>
  );
}

/** On a phone, what wider screens show in columns. */
function facts(file: File): string {
  if (file.error || file.reason) return "";
  const chunks = file.results ? ` · ${plural(file.results.chunks_created, "chunk")}` : "";
  const folder = file.folder ? " · " : "";
  return `${kind(file.mime_type, file.name)} · ${bytes(file.size)}${chunks}${folder}`;
}

/** What follows the name: why the file is not searchable, else its folder. */
function remark(file: File): string {
  if (file.state === "failed" || file.state === "queued")
    return visible(file.error?.message ?? file.folder ?? "");
  if (file.state === "skipped") return visible(file.reason?.message ?? file.folder ?? "");
  return visible(file.folder ?? "");
}
