"use client";
"use client";
import { Link } from "@/components/ui/link";
import { OVERVIEW_HREF } from "@/components/ui/links";
import type { MouseEvent, ReactNode } from "react";
import { PipelineSwitch } from "./pipeline-switch";
import { ThemeButton } from "./theme";

/** The bar on top of every page; other features are passed in. */
export function Header({ search, badge }: { search: ReactNode; badge: ReactNode }) {
  return (
    <header className="sticky top-0 z-30 border-b bg-canvas/90 backdrop-blur-md">
      <a
        href="#content"
        onClick={skipToContent}
        className="absolute top-2 left-2 z-50 -translate-y-16 rounded-md bg-ink px-3 py-1.5 text-surface focus:translate-y-0"
      >
        Skip to content
      </a>
      <div className="mx-auto flex h-12 max-w-[1440px] items-center gap-1 px-3 sm:px-6">
        <Link
          href={OVERVIEW_HREF}
          className="-ml-1 flex items-center gap-2 rounded-md px-1 py-1 font-semibold tracking-[-0.01em]"
        >
          <Mark />
          <span className="hidden sm:inline">raglive</span>
        </Link>
        <span aria-hidden className="px-1 text-line-strong">
          /
        </span>
        <PipelineSwitch />
        <div className="ml-auto flex items-center gap-1 sm:gap-1.5">
          {search}
          <ThemeButton />
          {badge}
        </div>
      </div>
    </header>
  );
}

/** A plain `#content` would be relative to the app's root and not to this page. */
function skipToContent(event: MouseEvent): void {
  event.preventDefault();
  window.location.hash = "content";
}

function Mark() {
  return (
    <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden>
      <rect width="20" height="20" rx="5" className="fill-ink" />
      <path
        d="M5 6.5h7M5 10h10M5 13.5h4.5"
        className="stroke-surface"
        strokeWidth="1.6"
        strokeLinecap="round"
      />
      <circle cx="14" cy="13.5" r="1.7" className="fill-[#8f8bff]" />
    </svg>
  );
}
