"use client";
import { CornerDownLeft, FileStack, LayoutGrid, ScrollText, Search, type LucideIcon } from "lucide-react";
import { useRouter } from "next/navigation";
import {
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactNode,
} from "react";
import { classes } from "@/components/ui/classes";
import { FileIcon } from "@/components/ui/file-icon";
import { floatingClass } from "@/components/ui/floating";
import { eventsHref, fileHref, pipelineHref, searchHref } from "@/components/ui/links";
import { place, Snippet } from "@/components/ui/passage";
import { Kbd } from "@/components/ui/section";
import { shownState, StateLabel } from "@/components/ui/state";
import { usePipelineIds } from "@/react/hooks";
import type { SearchHit } from "@/contract/types";
import { useFileSearch, usePassages } from "./found";
import { visible } from "@/components/ui/visible";

export interface Command {
  id: string;
  label: string;
  icon: LucideIcon;
  run: () => void;
}

export type Mode = "commands" | "files";

interface Item {
  id: string;
  group: string;
  icon: ReactNode;
  label: string;
  aside?: ReactNode;
  detail?: ReactNode;
  run: () => void;
}

interface PaletteProps {
  mode: Mode;
  commands: Command[];
  onClose: () => void;
}

export default function PaletteDialog({ mode, commands, onClose }: PaletteProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close(); // returns the focus
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={mode === "files" ? "Search" : "Commands"}
      onClose={onClose}
      onPointerDown={(event) => event.target === event.currentTarget && onClose()}
      className={classes(
        floatingClass,
        "fixed inset-auto top-[min(14vh,140px)] left-1/2 flex max-h-[min(520px,72vh)] w-[min(600px,calc(100vw-24px))] -translate-x-1/2 flex-col overflow-hidden rounded-xl! backdrop:bg-black/25 dark:backdrop:bg-black/55",
      )}
    >
      <Palette mode={mode} commands={commands} onClose={onClose} />
    </dialog>
  );
}

function Palette({ mode, commands, onClose }: PaletteProps) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const listId = useId();
  const { items, searching, error } = useItems(mode, text, commands);
  const active = Math.min(at, Math.max(0, items.length - 1));
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const choose = (item: Item | undefined) => {
    if (!item) return;
    onClose();
    item.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      setAt((active + step + items.length) % Math.max(1, items.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(items[active]);
    }
  };
  return (
    <>
      <div className="flex items-center gap-2.5 border-b px-4">
        <Search size={15} aria-hidden className="shrink-0 text-faint" />
        <input
          role="combobox"
          aria-expanded
          aria-controls={listId}
          aria-activedescendant={items[active] ? `${listId}-${active}` : undefined}
          aria-label={mode === "files" ? "File name or question" : "Command, pipeline or file"}
          placeholder={
            mode === "files"
              ? "Find files by name, and passages by what they say"
              : "Go to a pipeline or file, or run a command"
          }
          value={text}
          onKeyDown={onKeyDown}
          onChange={(event) => {
            setText(event.target.value);
            setAt(0);
          }}
          className="h-11 w-full bg-transparent text-base outline-none placeholder:text-faint"
        />
        <span className="max-sm:hidden">
          <Kbd>esc</Kbd>
        </span>
      </div>
      <div
        ref={list}
        id={listId}
        role="listbox"
        aria-label="Results"
        className="min-h-0 flex-1 overflow-y-auto p-1.5"
      >
        {items.map((item, index) => (
          <div key={item.id} role="presentation">
            {item.group !== items[index - 1]?.group && (
              <p className="px-2.5 pt-2 pb-1 text-xs text-faint">{item.group}</p>
            )}
            <div
              id={`${listId}-${index}`}
              role="option"
              aria-selected={index === active}
              onPointerMove={() => setAt(index)}
              onClick={() => choose(item)}
              className={classes(
                "flex min-h-9 cursor-pointer items-center gap-2.5 rounded-md px-2.5",
                item.detail !== undefined && "py-1.5",
                index === active && "bg-hover",
              )}
            >
              {item.icon}
              <span className="min-w-0 flex-1">
                <span className="block truncate">{item.label}</span>
                {item.detail}
              </span>
              <span className="flex shrink-0 items-center gap-3 text-xs text-faint">{item.aside}</span>
              {index === active && (
                <CornerDownLeft size={13} aria-hidden className="shrink-0 text-faint max-sm:hidden" />
              )}
            </div>
          </div>
        ))}
        {items.length === 0 && (
          <p className="px-3 py-8 text-center text-muted" role="status">
            {error ??
              (searching
                ? "Searching…"
                : text
                  ? "Nothing matches."
                  : "Type a part of a file's name, or a question.")}
          </p>
        )}
      </div>
    </>
  );
}

function useItems(
  mode: Mode,
  text: string,
  commands: Command[],
): { items: Item[]; searching: boolean; error: string | null } {
  const router = useRouter();
  const ids = usePipelineIds();
  const { found, searching, error } = useFileSearch(ids, text);
  const files = found.map(({ pipelineId, file }): Item => ({
    id: `file ${pipelineId} ${file.id}`,
    group: "Files",
    icon: <FileIcon name={file.name} mimeType={file.mime_type} />,
    label: visible(file.name),
    aside: (
      <>
        {ids.length > 1 && <span className="max-sm:hidden">{pipelineId}</span>}
        <StateLabel state={shownState(file)} />
      </>
    ),
    run: () => router.push(fileHref(pipelineId, file.id)),
  }));
  const passages = usePassages(mode === "files" ? text : "");
  if (mode === "files") {
    return {
      items: [
        ...files,
        ...passages.found.map((hit, index) => passage(hit, index, (href) => router.push(href))),
        ...(passages.found.length > 0
          ? [entry("Passages", "All passages, with filters", Search, () => router.push(searchHref(text)))]
          : []),
      ],
      searching: searching || passages.searching,
      error: error ?? passages.error,
    };
  }
  const go = (label: string, icon: LucideIcon, href: string) =>
    entry("Go to", label, icon, () => router.push(href));
  const places = [
    go("All pipelines", LayoutGrid, "/"),
    go("Search", Search, "/search/"),
    ...ids.flatMap((id) => [
      go(id, FileStack, pipelineHref(id)),
      go(`${id}: failed files`, FileStack, pipelineHref(id, { state: "failed" })),
      go(`${id}: events`, ScrollText, eventsHref(id)),
    ]),
    ...commands.map(({ label, icon, run }) => entry("Commands", label, icon, run)),
  ];
  return { items: [...places.filter(({ label }) => fits(label, text)), ...files], searching, error };
}

function passage(hit: SearchHit, index: number, go: (href: string) => void): Item {
  return {
    id: `passage ${index}`,
    group: "Passages",
    icon: <FileIcon name={hit.file.name} mimeType={hit.file.mime_type} />,
    label: visible(hit.file.name),
    aside: place(hit),
    detail: <Snippet hit={hit} className="line-clamp-2 text-xs leading-[18px]" />,
    run: () => go(fileHref(hit.file.pipeline_id, hit.file.id)),
  };
}

function entry(group: string, label: string, Icon: LucideIcon, run: () => void): Item {
  return {
    id: `${group} ${label}`,
    group,
    label,
    icon: <Icon size={15} strokeWidth={1.75} aria-hidden className="shrink-0 text-muted" />,
    run,
  };
}

function fits(label: string, text: string): boolean {
  const lower = label.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word));
}
