"use client";
import type { SearchAnswer, SearchHit } from "@/contract/types";
import { client } from "@/realtime/client";
import { useTyped, type Found } from "@/realtime/typed";

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
