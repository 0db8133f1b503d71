"use client";
import type { ReactNode } from "react";
import type { SearchAnswer, SearchHit } from "@/contract/types";
import { client } from "@/realtime/client";
import { useTyped, type Found } from "./typed";

const TYPING_MS = 250;
const SHOWN = 6;
const SHORTEST = 3;

/** Passages of the index that answer what is typed, by meaning and by words. */
export function usePassages(typed: string): Found<SearchHit> {
  return useTyped(typed.trim().length < SHORTEST ? "" : typed, TYPING_MS, search);
}

async function search(text: string, signal: AbortSignal): Promise<SearchHit[]> {
  const query = new URLSearchParams({ q: text, limit: String(SHOWN) }).toString();
  return (await client().http.get<SearchAnswer>(`/api/search?${query}`, { signal })).hits;
}

/** The part of a passage that tells most, with the words asked for. */
export function Snippet({ hit: { snippet, marks } }: { hit: SearchHit }) {
  const characters = Array.from(snippet); // marks count code points
  const text = (start: number, end?: number) => characters.slice(start, end).join("");
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
    <span className="line-clamp-2 text-xs leading-[18px] text-muted [overflow-wrap:anywhere]">
      {pieces}
      {text(at)}
    </span>
  );
}

export function place(hit: SearchHit): string {
  return hit.page === null ? `part ${hit.chunk_index + 1}` : `page ${hit.page}`;
}
