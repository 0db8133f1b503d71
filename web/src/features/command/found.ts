"use client";
import type { FilePage, FileRow, SearchAnswer, SearchHit } from "@/contract/types";
import { useSettled } from "@/components/ui/settled";
import { useClient } from "@/react/provider";
import { pipelinePath, useSearch, type Found } from "@/react/queries";

export interface FoundFile {
  pipelineId: string;
  file: FileRow;
}

const TYPING_FILES_MS = 120;
const TYPING_PASSAGES_MS = 250;
const FILES_OF_EACH = 8;
const PASSAGES = 6;
const SHORTEST_QUESTION = 3;

/** Files of all pipelines by a part of their name. */
export function useFileSearch(ids: readonly string[], typed: string): Found<FoundFile> {
  const { http } = useClient();
  const wanted = typed.trim();
  const text = useSettled(wanted, TYPING_FILES_MS);
  const found = useSearch(["found files", ids], text, async (q, signal) => {
    const query = new URLSearchParams({ q, limit: String(FILES_OF_EACH) }).toString();
    const ofEach = ids.map(async (pipelineId) => {
      const path = `${pipelinePath(pipelineId, "files")}?${query}`;
      const { files } = await http.get<FilePage>(path, { signal });
      return files.map((file) => ({ pipelineId, file }));
    });
    return (await Promise.all(ofEach)).flat();
  });
  return whileTyping(found, wanted, text);
}

/** Passages of the index that answer what is typed, by meaning and by words. */
export function usePassages(typed: string): Found<SearchHit> {
  const { http } = useClient();
  const wanted = typed.trim().length < SHORTEST_QUESTION ? "" : typed.trim();
  const text = useSettled(wanted, TYPING_PASSAGES_MS);
  const found = useSearch(["found passages"], text, async (q, signal) => {
    const query = new URLSearchParams({ q, limit: String(PASSAGES) }).toString();
    return (await http.get<SearchAnswer>(`/api/search?${query}`, { signal })).hits;
  });
  return whileTyping(found, wanted, text);
}

function whileTyping<T>(found: Found<T>, wanted: string, asked: string): Found<T> {
  if (wanted === "") return { found: [], searching: false, error: null };
  return wanted === asked ? found : { ...found, searching: true };
}
