"use client";
import { useEffect, useState } from "react";
import type { FilePage, FileRow } from "@/contract/types";
import { client } from "@/realtime/client";
import { ApiError } from "@/realtime/http";

export interface FoundFile {
  pipelineId: string;
  file: FileRow;
}

interface Found {
  text: string;
  found: FoundFile[];
  error: string | null;
}

const TYPING_MS = 120;
const EACH = 8;
const NONE: FoundFile[] = [];

/** Files of all pipelines by a part of their name. */
export function useFileSearch(
  ids: readonly string[],
  typed: string,
): { found: FoundFile[]; searching: boolean; error: string | null } {
  const text = typed.trim();
  const [result, setResult] = useState<Found>({ text: "", found: NONE, error: null });
  useEffect(() => {
    if (text === "") return;
    const stopping = new AbortController();
    const timer = setTimeout(() => {
      void search(ids, text, stopping.signal).then((found) => {
        if (!stopping.signal.aborted) setResult(found);
      });
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      stopping.abort();
    };
  }, [ids, text]);
  if (text === "") return { found: NONE, searching: false, error: null };
  return { found: result.found, searching: result.text !== text, error: result.error };
}

async function search(ids: readonly string[], text: string, signal: AbortSignal): Promise<Found> {
  try {
    const lists = await Promise.all(ids.map((id) => searchOne(id, text, signal)));
    return { text, found: lists.flat(), error: null };
  } catch (error) {
    return { text, found: NONE, error: error instanceof ApiError ? error.message : "The search failed." };
  }
}

async function searchOne(pipelineId: string, text: string, signal: AbortSignal): Promise<FoundFile[]> {
  const query = new URLSearchParams({ q: text, limit: String(EACH) }).toString();
  const path = `/api/pipelines/${encodeURIComponent(pipelineId)}/files?${query}`;
  const { files } = await client().http.get<FilePage>(path, { signal });
  return files.map((file) => ({ pipelineId, file }));
}
