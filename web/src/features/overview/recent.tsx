"use client";
import { Link } from "@/components/ui/link";
import { useSyncExternalStore } from "react";
import { plural } from "@/components/ui/format";
import { fileHref, pipelineHref } from "@/components/ui/links";
import { Section } from "@/components/ui/section";
import { shownState, StateIcon } from "@/components/ui/state";
import { Moment } from "@/components/ui/time";
import { client } from "@/realtime/client";
import type { LiveFile, PipelineState } from "@/realtime/pipeline-state";

const SHOWN_RECENT = 10;

/** What came to an end last, over all pipelines. */
export function Recent({ pipelines }: { pipelines: PipelineState[] }) {
  // Files change in place of each other: the store's version of each is read when a pipeline changes.
  const files = useRecentFiles(pipelines);
  return (
    <Section title="Latest">
      {files.length === 0 ? (
        <p className="py-3 text-faint">Nothing has been finished yet.</p>
      ) : (
        <ul>
          {files.map(({ pipelineId, file }) => (
            <li
              key={`${pipelineId}/${file.id}`}
              className="flex h-9 items-center gap-2.5 border-b last:border-b-0"
            >
              <StateIcon state={shownState(file)} />
              <Link href={fileHref(pipelineId, file.id)} className="min-w-0 truncate hover:underline">
                {file.name}
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
  return file.error?.message ?? file.reason?.message ?? "";
}

function useRecentFiles(pipelines: PipelineState[]): { pipelineId: string; file: LiveFile }[] {
  const { store } = client();
  useSyncExternalStore(store.subscribe, store.pipelineIds, store.pipelineIds);
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
