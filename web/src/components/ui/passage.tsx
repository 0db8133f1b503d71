import type { ReactNode } from "react";
import type { SearchHit } from "@/contract/types";
import { classes } from "./classes";
import { visibleLines } from "./visible";

/** The most relevant part of a passage, with the matching words marked. */
export function Snippet({ hit: { snippet, marks }, className }: { hit: SearchHit; className?: string }) {
  const characters = Array.from(snippet); // marks count code points
  const text = (start: number, end?: number) => visibleLines(characters.slice(start, end).join(""));
  const pieces: ReactNode[] = [];
  let at = 0;
  for (const { start, end } of marks) {
    pieces.push(
      text(at, start),
      <mark key={start} className="rounded-xs bg-accent-soft text-ink">
        {text(start, end)}
      </mark>,
    );
    at = end;
  }
  return (
    <span className={classes("text-muted [overflow-wrap:anywhere]", className)}>
      {pieces}
      {text(at)}
    </span>
  );
}

/** The position of a passage in its file. */
export function place(hit: SearchHit): string {
  return hit.page === null ? `part ${hit.chunk_index + 1}` : `page ${hit.page}`;
}
