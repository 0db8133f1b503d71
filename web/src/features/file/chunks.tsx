"use client";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { count, plural } from "@/components/ui/format";
import { Section } from "@/components/ui/section";
import type { ChunkPage, FileDetail, IndexedChunk } from "@/contract/types";
import { pipelinePath, usePages } from "@/react/queries";
import { visibleLines } from "@/components/ui/visible";

const SHOWN = 5;
const PAGE = 20;

interface ChunksProps {
  pipelineId: string;
  detail: FileDetail;
  /** Chunks of another version of the file are out of date. */
  version: string;
}

/** The file's text as a search finds it, from its beginning; all of it, page by page. */
export function Chunks({ pipelineId, detail, version }: ChunksProps) {
  const { chunks: beginning, chunk_count: total } = detail;
  const [all, setAll] = useState(false);
  const query = new URLSearchParams({ file_id: detail.file.id, limit: String(PAGE) }).toString();
  const { pages, loading, error, loadMore, reload } = usePages<ChunkPage>({
    pipelineId,
    path: `${pipelinePath(pipelineId, "chunks")}?${query}`,
    continueWith: "after",
    version,
    enabled: all,
  });
  if (total === 0) return null;
  const fetched = pages.length === 0 ? beginning : pages.flatMap(({ chunks }) => chunks);
  const shown = all ? fetched : beginning.slice(0, SHOWN);
  const rest = total - shown.length;
  return (
    <Section
      title="As indexed"
      count={rest > 0 ? `first ${count(shown.length)} of ${plural(total, "chunk")}` : plural(total, "chunk")}
    >
      <ol>
        {shown.map((chunk) => (
          <Chunk key={chunk.chunk_index} chunk={chunk} />
        ))}
      </ol>
      {error && (
        <p role="alert" className="flex items-center gap-3 py-1 text-failed">
          {error.message}
          <Button onClick={reload}>Try again</Button>
        </p>
      )}
      {rest > 0 && !error && (
        <Button
          variant="plain"
          data-testid="more-chunks"
          onClick={all ? loadMore : () => setAll(true)}
          className="my-1 -ml-2.5"
        >
          {loading ? "Loading…" : `Show ${Math.min(PAGE, rest)} of ${plural(rest, "more chunk")}`}
        </Button>
      )}
    </Section>
  );
}

function Chunk({ chunk: { chunk_index, page, content } }: { chunk: IndexedChunk }) {
  return (
    <li data-testid="chunk" className="flex gap-4 border-b py-3 last:border-b-0">
      <div className="num w-14 shrink-0 text-right text-xs text-faint">
        <span className="font-mono">#{chunk_index}</span>
        {page != null && <span className="block">page {page}</span>}
      </div>
      <Text content={visibleLines(content)} />
    </li>
  );
}

const FOLDED_ABOVE = 360;

function Text({ content }: { content: string }) {
  if (content.length <= FOLDED_ABOVE) return <Paragraph>{content}</Paragraph>;
  return (
    <details className="group min-w-0 flex-1">
      <summary className="list-none [&::-webkit-details-marker]:hidden">
        <span className="line-clamp-3 max-w-[80ch] whitespace-pre-line text-muted group-open:hidden">
          {content}
        </span>
        <span className="text-xs text-accent group-open:hidden">Show all</span>
        <span className="hidden text-xs text-accent group-open:block">Show less</span>
      </summary>
      <Paragraph>{content}</Paragraph>
    </details>
  );
}

function Paragraph({ children }: { children: string }) {
  return (
    <p className="max-w-[80ch] min-w-0 flex-1 whitespace-pre-line text-muted [overflow-wrap:anywhere]">
      {children}
    </p>
  );
}
