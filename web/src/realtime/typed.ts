"use client";
import { useEffect, useState } from "react";
import { ApiError } from "./http";

export interface Found<T> {
  found: T[];
  searching: boolean;
  error: string | null;
}

type Search<T> = (text: string, signal: AbortSignal) => Promise<T[]>;

interface Result<T> {
  text: string;
  by: Search<T> | null;
  found: T[];
  error: string | null;
}

/** What a search finds for the text that is being typed, once typing pauses; `search` must be stable. */
export function useTyped<T>(typed: string, pauseMs: number, search: Search<T>): Found<T> {
  const text = typed.trim();
  const [result, setResult] = useState<Result<T>>({ text: "", by: null, found: [], error: null });
  useEffect(() => {
    if (text === "") return;
    const stopping = new AbortController();
    const timer = setTimeout(() => {
      void answer(text, search, stopping.signal).then((found) => {
        if (!stopping.signal.aborted) setResult(found);
      });
    }, pauseMs);
    return () => {
      clearTimeout(timer);
      stopping.abort();
    };
  }, [text, pauseMs, search]);
  if (text === "") return { found: [], searching: false, error: null };
  return {
    found: result.found,
    searching: result.text !== text || result.by !== search,
    error: result.error,
  };
}

async function answer<T>(text: string, search: Search<T>, signal: AbortSignal): Promise<Result<T>> {
  try {
    return { text, by: search, found: await search(text, signal), error: null };
  } catch (error) {
    return {
      text,
      by: search,
      found: [],
      error: error instanceof ApiError ? error.message : "The search failed.",
    };
  }
}
