import { LOOKS, StateIcon, type ShownState } from "@/components/ui/state";
import { classes } from "@/components/ui/classes";
import { count } from "@/components/ui/format";
import type { Counts } from "@/contract/types";

export const COUNTED = ["completed", "processing", "queued", "skipped", "failed"] as const;
export const SHOWN = ["completed", "processing", "queued", "waiting", "skipped", "failed"] as const;
type Shown = (typeof SHOWN)[number];

export function totalOf(counts: Counts): number {
  return COUNTED.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

/** The count of each state; files that wait for a retry do not count as queued. */
export function shownCount(counts: Counts, state: Shown): number {
  const waiting = Math.min(counts.waiting ?? 0, counts.queued);
  if (state === "waiting") return waiting;
  return state === "queued" ? counts.queued - waiting : counts[state];
}

/** Files by state as one thin bar; its legend says the same in words. */
export function CountBar({ counts, className }: { counts: Counts; className?: string }) {
  const total = totalOf(counts);
  return (
    <div
      aria-hidden
      className={classes("flex h-1.5 gap-px overflow-hidden rounded-full bg-subtle", className)}
    >
      {SHOWN.map((state) => {
        const value = shownCount(counts, state);
        if (value === 0 || total === 0) return null;
        return (
          <span
            key={state}
            className={classes("min-w-[3px] transition-[flex-grow] duration-500 ease-out", LOOKS[state].fill)}
            style={{ flexGrow: value, flexBasis: 0 }}
          />
        );
      })}
    </div>
  );
}

const WORDS: Partial<Record<ShownState, string>> = { waiting: "waiting for a retry" };

/** `held`: how many files in progress are stuck or have lost their worker. */
export function CountLegend({ counts, held }: { counts: Counts; held: number }) {
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1">
      {SHOWN.map((state) => {
        const value = shownCount(counts, state);
        const quiet = value === 0;
        if (quiet && state === "waiting") return null;
        return (
          <li key={state} className={classes("inline-flex items-center gap-1.5", quiet && "text-faint")}>
            <StateIcon state={state} size={13} className={classes(quiet && "text-faint!", "animate-none!")} />
            <span className="num font-medium" data-testid={`count-${state}`}>
              {count(value)}
            </span>
            <span className="text-muted">{WORDS[state] ?? LOOKS[state].word.toLowerCase()}</span>
            {state === "processing" && held > 0 && (
              <span className="num text-waiting" data-testid="count-held">
                {held === value ? "(stuck)" : `(${count(held)} stuck)`}
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
