"use client";
import { classes } from "@/components/ui/classes";
import { Link } from "@/components/ui/link";
import { FileIcon } from "@/components/ui/file-icon";
import { percent } from "@/components/ui/format";
import { fileHref } from "@/components/ui/links";
import { StageProgress, STAGE_WORDS } from "@/components/ui/stage-progress";
import { isHeld, LOOKS, shownState } from "@/components/ui/state";
import { Elapsed } from "@/components/ui/time";
import { useLiveFile } from "@/react/hooks";
import { visible } from "@/components/ui/visible";

interface ProgressRowProps {
  pipelineId: string;
  fileId: string;
  showPipeline?: boolean;
}

/** A file in progress; only this row renders again when its progress changes. */
export function ProgressRow({ pipelineId, fileId, showPipeline = false }: ProgressRowProps) {
  const file = useLiveFile(pipelineId, fileId);
  if (file?.state !== "processing") return null;
  const stage = file.processing_stage ?? "extraction";
  const state = shownState(file);
  const held = isHeld(state);
  return (
    <li
      data-testid="progress-row"
      data-file-id={fileId}
      data-standing={state}
      className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1.5 border-b py-2 last:border-b-0 sm:h-10 sm:grid-cols-[minmax(0,1fr)_minmax(80px,24%)_88px_40px_80px] sm:py-0"
    >
      <span className="flex min-w-0 items-center gap-2 sm:col-start-1 sm:row-start-1">
        <FileIcon name={file.name} mimeType={file.mime_type} />
        <Link href={fileHref(pipelineId, fileId)} className="truncate hover:underline">
          {visible(file.name)}
        </Link>
        {showPipeline && <span className="hidden shrink-0 text-xs text-faint xl:inline">{pipelineId}</span>}
        {file.attempt > 1 && <span className="shrink-0 text-xs text-waiting">attempt {file.attempt}</span>}
      </span>
      <StageProgress
        key={file.attempt}
        stage={stage}
        progress={file.progress ?? 0}
        label={`${visible(file.name)}: ${STAGE_WORDS[stage]}`}
        held={held}
        className="col-span-2 row-start-2 sm:col-span-1 sm:col-start-2 sm:row-start-1"
      />
      <span
        className={classes(
          "hidden truncate sm:col-start-3 sm:row-start-1 sm:block",
          held ? "text-waiting" : "text-processing",
        )}
        title={held ? `${LOOKS[state].word} while ${STAGE_WORDS[stage].toLowerCase()}` : undefined}
      >
        {held ? LOOKS[state].word : STAGE_WORDS[stage]}
      </span>
      <span className="num text-right sm:col-start-4 sm:row-start-1">
        <span className={classes("mr-2 sm:hidden", held ? "text-waiting" : "text-processing")}>
          {held ? LOOKS[state].word : STAGE_WORDS[stage]}
        </span>
        {percent(file.progress)}
      </span>
      <span className="num hidden text-right whitespace-nowrap text-faint sm:col-start-5 sm:row-start-1 sm:block">
        {file.started_at && <Elapsed since={file.started_at} />}
      </span>
    </li>
  );
}
