"use client";
import { Search } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { Button } from "@/components/ui/button";
import { Kbd } from "@/components/ui/section";
import type { Command, Mode } from "./palette-dialog";

export type { Command };

/** Fetched when it is first opened. */
const PaletteDialog = lazy(() => import("./palette-dialog"));

/** Goes to any page and runs any command from the keyboard; Ctrl/Cmd K opens it, `/` searches. */
export function CommandPalette({ commands }: { commands: Command[] }) {
  const [mode, setMode] = useState<Mode | null>(null);
  useShortcuts(setMode);
  return (
    <>
      <Button
        variant="outline"
        onClick={() => setMode("files")}
        aria-label="Search"
        data-testid="search"
        className="text-faint! max-md:w-7 max-md:border-transparent! max-md:bg-transparent! max-md:px-0! md:w-56 md:justify-start! lg:w-64"
      >
        <Search size={14} aria-hidden />
        <span className="flex-1 text-left font-normal max-md:hidden">Search</span>
        <span className="max-md:hidden">
          <Kbd>/</Kbd>
        </span>
      </Button>
      {mode !== null && (
        <Suspense>
          <PaletteDialog mode={mode} commands={commands} onClose={() => setMode(null)} />
        </Suspense>
      )}
    </>
  );
}

function useShortcuts(open: (mode: Mode) => void): void {
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const typing = target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        open("commands");
      } else if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        open("files");
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [open]);
}
