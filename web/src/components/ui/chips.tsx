import type { ReactNode } from "react";
import { classes } from "./classes";

export interface Chip {
  value: string;
  label: ReactNode;
}

interface ChipsProps {
  chips: Chip[];
  value: string;
  onChange: (value: string) => void;
  label: string;
}

/** A choice of one, always visible; scrolls sideways on narrow screens. */
export function Chips({ chips, value, onChange, label }: ChipsProps) {
  return (
    <div
      role="group"
      aria-label={label}
      className="-mx-4 flex gap-1 overflow-x-auto px-4 [scrollbar-width:none] sm:mx-0 sm:flex-wrap sm:px-0"
    >
      {chips.map((chip) => (
        <button
          key={chip.value}
          type="button"
          aria-pressed={chip.value === value}
          onClick={() => onChange(chip.value)}
          className={classes(
            "inline-flex h-7 shrink-0 items-center gap-1.5 rounded-md border px-2.5 transition-colors duration-100",
            chip.value === value
              ? "border-line-strong bg-surface font-medium text-ink shadow-[0_1px_1px_rgb(0_0_0/0.04)]"
              : "border-transparent text-muted hover:bg-hover hover:text-ink",
          )}
        >
          {chip.label}
        </button>
      ))}
    </div>
  );
}
