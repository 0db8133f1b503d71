"use client";
import type { SearchAnswer, SearchHit } from "@/contract/types";
import type { Http } from "@/client/http";
import { currentTime } from "@/components/ui/now";

export const MODES = {
  hybrid: "Both",
  vector: "By meaning",
  text: "By words",
} as const;

/** What people call a type, and the extensions that are asked for. */
export const TYPES = {
  pdf: { word: "PDF", extensions: ["pdf"] },
  text: { word: "Text and Markdown", extensions: ["txt", "md"] },
  document: { word: "Word, OpenDocument, RTF", extensions: ["docx", "doc", "odt", "rtf"] },
  table: { word: "Tables", extensions: ["xlsx", "xls", "ods", "csv", "tsv"] },
  slides: { word: "Slides", extensions: ["pptx", "ppt", "odp"] },
  web: { word: "Web pages, e-books", extensions: ["html", "htm", "epub"] },
  mail: { word: "E-mail", extensions: ["eml", "msg"] },
} as const;

const DAY_MS = 86_400_000;
export const TIMES = {
  "1d": { word: "in the last 24 hours", days: 1 },
  "7d": { word: "in the last 7 days", days: 7 },
  "30d": { word: "in the last 30 days", days: 30 },
} as const;

export interface Choice {
  mode: string;
  pipeline: string;
  type: string;
  since: string;
}

const SHOWN = 20;

/** The passages that answer a question, within the filters. */
export async function search(
  http: Http,
  text: string,
  choice: Choice,
  signal: AbortSignal,
): Promise<SearchHit[]> {
  const query = new URLSearchParams({ q: text, limit: String(SHOWN) });
  if (choice.mode in MODES) query.set("mode", choice.mode);
  if (choice.pipeline) query.set("pipeline_id", choice.pipeline);
  for (const extension of extensionsOf(choice.type)) query.append("type", extension);
  const days = daysOf(choice.since);
  if (days !== null) query.set("since", new Date(currentTime() - days * DAY_MS).toISOString());
  return (await http.get<SearchAnswer>(`/api/search?${query.toString()}`, { signal })).hits;
}

function extensionsOf(type: string): readonly string[] {
  return type in TYPES ? TYPES[type as keyof typeof TYPES].extensions : [];
}

function daysOf(since: string): number | null {
  return since in TIMES ? TIMES[since as keyof typeof TIMES].days : null;
}
