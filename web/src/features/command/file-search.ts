"use client";
import { useCallback } from "react";
import type { FilePage, FileRow } from "@/contract/types";
import { client } from "@/realtime/client";
import { useTyped, type Found } from "@/realtime/typed";

export interface FoundFile {
  pipelineId: string;
  file: FileRow;
}

const TYPING_MS = 120;
const EACH = 8;

/** Files of all pipelines by a part of their name. */
export function useFileSearch(ids: readonly string[], typed: string): Found<FoundFile> {
  const search = useCallback(
    async (text: string, signal: AbortSignal) =>
      (await Promise.all(ids.map((id) => searchOne(id, text, signal)))).flat(),
    [ids],
  );
  return useTyped(typed, TYPING_MS, search);
}

async function searchOne(pipelineId: string, text: string, signal: AbortSignal): Promise<FoundFile[]> {
  const query = new URLSearchParams({ q: text, limit: String(EACH) }).toString();
  const path = `/api/pipelines/${encodeURIComponent(pipelineId)}/files?${query}`;
  const { files } = await client().http.get<FilePage>(path, { signal });
  return files.map((file) => ({ pipelineId, file }));
}
