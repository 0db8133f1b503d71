"use client";
import { useMemo, useState } from "react";
import type { ApiError } from "@/client/http";
import type { PipelineState } from "@/client/pipeline-state";
import type { FilePage } from "@/contract/types";
import { useClient } from "@/react/provider";
import { pipelinePath, usePages } from "@/react/queries";
import { currentRows, heldRows, type File, type Filter, type Sort } from "./file-list";

export interface FilePages {
  rows: readonly File[];
  /** Files in the whole list, as far as is known. */
  total: number;
  /** Files that joined the list while its rows are held in place. */
  unseen: number;
  more: boolean;
  loading: boolean;
  error: ApiError | null;
  loadMore: () => void;
  reload: () => void;
  /** Keeps the rows in place, so that none moves under the pointer. */
  hold: (held: boolean) => void;
}

const PAGE = 100;

/** A pipeline's files, fetched page by page and kept current by events. */
export function useFilePages(state: PipelineState, filter: Filter, sort: Sort): FilePages {
  const { store } = useClient();
  const { id, generation } = state;
  const path = pathOf(id, filter, sort);
  const { pages, ...paging } = usePages<FilePage>({
    pipelineId: id,
    path,
    continueWith: "after",
    version: generation,
  });
  const fetched = useMemo(() => withoutRepeats(pages.flatMap(({ files }) => files)), [pages]);
  // The store's files change in place; a new state says that they did.
  const live = useMemo(() => store.files(state.id), [store, state]);
  const current = useMemo(
    () => currentRows(fetched, live, filter, sort, paging.more),
    [fetched, live, filter, sort, paging.more],
  );
  const [held, hold] = useState(false);
  const list = `${path} ${filter.code} ${generation}`;
  const [shown, setShown] = useState({ list, rows: current });
  const keeps = held && shown.list === list;
  if (!keeps && shown.rows !== current) setShown({ list, rows: current });
  const { rows, unseen } = useMemo(
    () => (keeps ? heldRows(shown.rows, current, fetched) : { rows: current, unseen: 0 }),
    [keeps, shown.rows, current, fetched],
  );
  const total = Math.max(pages[0]?.total ?? 0, rows.length);
  return { ...paging, rows, unseen, total, hold };
}

/** A file that changes between two requests can be on both pages. */
function withoutRepeats<T extends { id: string }>(rows: readonly T[]): T[] {
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}

function pathOf(pipelineId: string, { state, text }: Filter, sort: Sort): string {
  const query = new URLSearchParams({ sort, limit: String(PAGE) });
  if (state) query.set("state", state);
  if (text) query.set("q", text);
  return `${pipelinePath(pipelineId, "files")}?${query.toString()}`;
}
