"use client";
import { Link } from "@/components/ui/link";
import { plural } from "@/components/ui/format";
import { fileHref, pipelineHref } from "@/components/ui/links";
import { Section } from "@/components/ui/section";
import { shownState, StateIcon } from "@/components/ui/state";
import { Moment } from "@/components/ui/time";
import { useClient } from "@/react/provider";
import type { LiveFile } from "@/client/file-state";
import type { PipelineState } from "@/client/pipeline-state";
import { visible } from "@/components/ui/visible";

const SHOWN_RECENT = 10;

/** The most recently finished files of all pipelines. */
export function Recent({ pipelines }: { pipelines: readonly PipelineState[] }) {
  const files = useRecentFiles(pipelines);
  return (
    <Section title="Latest">
      {files.length === 0 ? (
        <p className="py-3 text-faint">No file is finished yet.</p>
      ) : (
        <ul>
          {files.map(({ pipelineId, file }) => (
            <li
              key={`${pipelineId}/${file.id}`}
              className="flex h-9 items-center gap-2.5 border-b last:border-b-0"
            >
              <StateIcon state={shownState(file)} />
              <Link href={fileHref(pipelineId, file.id)} className="min-w-0 truncate hover:underline">
                {visible(file.name)}
              </Link>
              <span className="hidden min-w-0 flex-1 truncate text-faint sm:block">{outcome(file)}</span>
              {pipelines.length > 1 && (
                <Link
                  href={pipelineHref(pipelineId)}
                  className="hidden shrink-0 text-xs text-faint hover:underline lg:block"
                >
                  {pipelineId}
                </Link>
              )}
              <Moment
                at={file.updated_at}
                className="num ml-auto shrink-0 text-xs text-faint sm:w-20 sm:text-right"
              />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function outcome(file: LiveFile): string {
  if (file.results) return plural(file.results.chunks_created, "chunk");
  return visible(file.error?.message ?? file.reason?.message ?? "");
}

function useRecentFiles(pipelines: readonly PipelineState[]): { pipelineId: string; file: LiveFile }[] {
  const { store } = useClient();
  return pipelines
    .flatMap(({ id, completed, failed }) =>
      [...completed, ...failed].flatMap((fileId) => {
        const file = store.file(id, fileId);
        return file ? [{ pipelineId: id, file }] : [];
      }),
    )
    .sort((a, b) => b.file.updated_at.localeCompare(a.file.updated_at))
    .slice(0, SHOWN_RECENT);
}
