"use client";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp, FileSearch, FolderPlus, ServerCrash } from "lucide-react";
import {
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
  type KeyboardEvent,
} from "react";
import { noFilesYet } from "@/components/live/no-files";
import { Button } from "@/components/ui/button";
import { classes } from "@/components/ui/classes";
import { count, plural } from "@/components/ui/format";
import { Empty } from "@/components/ui/notice";
import { Skeleton } from "@/components/ui/section";
import { usePipeline } from "@/react/hooks";
import type { Sort } from "./file-list";
import type { FilePages } from "./file-pages";
import { COLUMNS, FileRow } from "./file-row";

interface FileTableProps {
  pipelineId: string;
  pages: FilePages;
  sort: Sort;
  onSort: (sort: Sort) => void;
  filtered: boolean;
  onClear: () => void;
}

const ROW_PX = 40;
const PHONE_ROW_PX = 56;
const AHEAD = 30;

/** All files of a list; only the rows in view are rendered. */
export function FileTable(props: FileTableProps) {
  const { pages, filtered } = props;
  const { rows, more, loadMore } = pages;
  const state = usePipeline(props.pipelineId);
  const searching = rows.length === 0 && more;
  useEffect(() => {
    if (searching) loadMore();
  }, [searching, loadMore]);
  if (rows.length === 0 && pages.error)
    return (
      <Empty
        icon={ServerCrash}
        title="The files could not be loaded"
        action={<Button onClick={pages.reload}>Try again</Button>}
      >
        {pages.error.message}
      </Empty>
    );
  if (searching || (rows.length === 0 && pages.loading)) return <TableSkeleton />;
  if (rows.length === 0 && filtered)
    return (
      <Empty
        icon={FileSearch}
        title="No file matches"
        action={<Button onClick={props.onClear}>Show all files</Button>}
      />
    );
  if (rows.length === 0)
    return (
      <Empty icon={FolderPlus} title="No files yet">
        {state && noFilesYet(state)}
      </Empty>
    );
  return <Rows {...props} />;
}

function Rows({ pipelineId, pages, sort, onSort }: FileTableProps) {
  const { rows, unseen, loadMore, hold } = pages;
  const list = useRef<HTMLDivElement>(null);
  const margin = useTop(list);
  const phone = useIsPhone();
  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => (phone ? PHONE_ROW_PX : ROW_PX),
    overscan: 8,
    scrollMargin: margin,
    getItemKey: (index) => rows[index]?.id ?? index,
  });
  useEffect(() => virtualizer.measure(), [phone, virtualizer]);
  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - AHEAD) loadMore();
  }, [last, rows.length, loadMore]);
  const [hovered, setHovered] = useState(false);
  const held = hovered || (items[0]?.index ?? 0) > 0;
  useEffect(() => {
    hold(held);
    return () => hold(false);
  }, [held, hold]);
  const showNew = () => {
    hold(false);
    setHovered(false);
    if ((list.current?.getBoundingClientRect().top ?? 0) < 0)
      list.current?.scrollIntoView({ block: "center" });
  };
  return (
    <div role="table" aria-label="Files" aria-rowcount={pages.total} onKeyDown={moveByArrows}>
      <Head sort={sort} onSort={onSort} />
      {unseen > 0 && (
        <div className="pointer-events-none sticky top-24 z-20 h-0">
          <Button
            variant="accent"
            onClick={showNew}
            className="pointer-events-auto absolute top-2 left-1/2 -translate-x-1/2 rounded-full! shadow-float"
            data-testid="show-new"
          >
            <ArrowUp size={13} aria-hidden /> {count(unseen)} new
          </Button>
        </div>
      )}
      <div
        ref={list}
        role="rowgroup"
        onPointerEnter={(event) => setHovered(event.pointerType === "mouse")}
        onPointerLeave={() => setHovered(false)}
        className="relative"
        style={{ height: virtualizer.getTotalSize() }}
      >
        {items.map((item) => {
          const row = rows[item.index];
          return (
            row && (
              <div
                key={item.key}
                className="absolute inset-x-0 top-0"
                style={{ height: item.size, transform: `translateY(${item.start - margin}px)` }}
              >
                <FileRow pipelineId={pipelineId} row={row} />
              </div>
            )
          );
        })}
      </div>
      <p className="py-4 text-center text-xs text-faint">
        {pages.error
          ? pages.error.message
          : pages.more
            ? "Loading more…"
            : `End of the list · ${plural(rows.length, "file")}`}
      </p>
    </div>
  );
}

const COLUMN_HEADS = [
  { key: null, label: "State", className: "hidden sm:block" },
  { key: "name", label: "Name", className: "col-span-2 sm:col-span-1" },
  { key: null, label: "Type", className: "hidden lg:block" },
  { key: "size", label: "Size", className: "hidden text-right sm:block" },
  { key: null, label: "Chunks", className: "hidden text-right lg:block" },
  { key: null, label: "Duration", className: "hidden text-right lg:block" },
  { key: "updated", label: "Changed", className: "text-right" },
] as const;

function Head({ sort, onSort }: { sort: Sort; onSort: (sort: Sort) => void }) {
  return (
    <div
      role="row"
      className={classes(
        COLUMNS,
        "sticky top-12 z-10 h-8 items-center border-b bg-canvas text-xs text-faint",
      )}
    >
      {COLUMN_HEADS.map(({ key, label, className }) => (
        <div
          key={label}
          role="columnheader"
          aria-sort={key === sort ? "descending" : undefined}
          className={className}
        >
          {key === null ? (
            label
          ) : (
            <button
              type="button"
              onClick={() => onSort(key)}
              className={classes(
                "inline-flex items-center gap-0.5 hover:text-ink",
                key === sort && "font-medium text-ink",
              )}
            >
              {label}
              {key === sort &&
                (key === "name" ? <ArrowUp size={11} aria-hidden /> : <ArrowDown size={11} aria-hidden />)}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}

function TableSkeleton() {
  return (
    <div aria-busy="true" aria-label="Loading files" className="pt-8">
      {Array.from({ length: 12 }, (_, index) => (
        <div key={index} className="flex h-10 items-center gap-4 border-b">
          <Skeleton className="h-3 w-24" />
          <Skeleton className="h-3 flex-1" />
          <Skeleton className="hidden h-3 w-16 sm:block" />
          <Skeleton className="h-3 w-16" />
        </div>
      ))}
    </div>
  );
}

function moveByArrows(event: KeyboardEvent<HTMLDivElement>) {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-row-link]")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  if (step === 0 || at < 0) return;
  event.preventDefault();
  links[at + step]?.focus();
}

/** Where the list begins on the page, in px; it moves when the content above grows. */
function useTop(element: React.RefObject<HTMLDivElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      if (element.current) setTop(Math.round(element.current.getBoundingClientRect().top + window.scrollY));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [element]);
  return top;
}

const PHONE = "(max-width: 639px)";

function useIsPhone(): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = window.matchMedia(PHONE);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => window.matchMedia(PHONE).matches,
    () => false,
  );
}
