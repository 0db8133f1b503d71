import type { ReactNode } from "react";
import { classes } from "./classes";

interface SectionProps {
  title: string;
  aside?: ReactNode;
  count?: string | number | null;
  children: ReactNode;
  className?: string;
}

/** A titled part of a page, with a hairline instead of a box. */
export function Section({ title, aside, count, children, className }: SectionProps) {
  return (
    <section className={className} aria-label={title}>
      <div className="flex h-9 items-center gap-2 border-b">
        <h2 className="font-medium">{title}</h2>
        {count != null && <span className="num text-faint">{count}</span>}
        <div className="ml-auto flex items-center gap-2 text-faint">{aside}</div>
      </div>
      {children}
    </section>
  );
}

export function Skeleton({ className }: { className?: string }) {
  return <span aria-hidden className={classes("skeleton block", className)} />;
}

export function Kbd({ children }: { children: ReactNode }) {
  return (
    <kbd className="inline-flex h-[18px] min-w-[18px] items-center justify-center rounded border border-line-strong bg-surface px-1 font-sans text-2xs text-faint">
      {children}
    </kbd>
  );
}
