"use client";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { count, plural } from "@/components/ui/format";
import { Section } from "@/components/ui/section";
import type { FileDetail } from "@/contract/types";

const SHOWN = 5;

/** The file's text as a search finds it, from its beginning. */
export function Chunks({ detail: { chunks, chunk_count } }: { detail: FileDetail }) {
  const [all, setAll] = useState(false);
  if (chunks.length === 0) return null;
  const shown = all ? chunks : chunks.slice(0, SHOWN);
  return (
    <Section
      title="As indexed"
      count={shown.length < chunk_count ? `first ${shown.length} of ${count(chunk_count)} chunks` : null}
    >
      <ol>
        {shown.map((chunk) => (
          <li key={chunk.chunk_index} className="flex gap-4 border-b py-3 last:border-b-0">
            <div className="num w-14 shrink-0 text-right text-xs text-faint">
              <span className="font-mono">#{chunk.chunk_index}</span>
              {chunk.page != null && <span className="block">page {chunk.page}</span>}
            </div>
            <Text content={chunk.content} />
          </li>
        ))}
      </ol>
      {shown.length < chunks.length && (
        <Button variant="plain" onClick={() => setAll(true)} className="my-1 -ml-2.5">
          {plural(chunks.length - shown.length, "more chunk")}
        </Button>
      )}
      {all && chunks.length < chunk_count && (
        <p className="py-2 text-xs text-faint">
          These are the first {chunks.length} of {count(chunk_count)} chunks. A search finds all of them.
        </p>
      )}
    </Section>
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
