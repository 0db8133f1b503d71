import { LOOKS, StateIcon } from "@/components/ui/state";
import { classes } from "@/components/ui/classes";
import { count } from "@/components/ui/format";
import type { Counts } from "@/contract/types";

export const COUNTED = ["completed", "processing", "queued", "skipped", "failed"] as const;
export type CountedState = (typeof COUNTED)[number];

export function totalOf(counts: Counts): number {
  return COUNTED.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

/** Files by state as one thin bar; its legend says the same in words. */
export function CountBar({ counts, className }: { counts: Counts; className?: string }) {
  const total = totalOf(counts);
  return (
    <div
      aria-hidden
      className={classes("flex h-1.5 gap-px overflow-hidden rounded-full bg-subtle", className)}
    >
      {COUNTED.map((state) => {
        const value = counts[state] ?? 0;
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

export function CountLegend({ counts }: { counts: Counts }) {
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1">
      {COUNTED.map((state) => {
        const value = counts[state] ?? 0;
        const quiet = value === 0;
        return (
          <li key={state} className={classes("inline-flex items-center gap-1.5", quiet && "text-faint")}>
            <StateIcon
              state={state}
              size={13}
              className={classes(
                quiet && "text-faint! animate-none!",
                state === "processing" && "animate-none!",
              )}
            />
            <span className="num font-medium" data-testid={`count-${state}`}>
              {count(value)}
            </span>
            <span className="text-muted">{LOOKS[state].word.toLowerCase()}</span>
            {state === "queued" && (counts.waiting ?? 0) > 0 && (
              <span className="num text-waiting" data-testid="count-waiting">
                {count(counts.waiting ?? 0)} wait for a retry
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
