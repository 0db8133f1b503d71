"use client";
import { absoluteTime, relative } from "@/components/ui/format";
import { useNow } from "@/components/ui/now";
import { clock } from "@/client/clock";
import { useConnection } from "@/react/hooks";

/** How long ago a time of the page's clock was, in ms, updated once a second; null for no time. */
export function useAge(at: number | null): number | null {
  useNow();
  return at === null ? null : Math.max(0, clock.now() - at);
}

/** As of when everything that is shown is known to be complete. */
export function Freshness({ className }: { className?: string }) {
  const now = useNow();
  const age = useAge(useConnection().completeAt);
  if (age === null) return null;
  return (
    <span className={className} title={absoluteTime(now - age)} data-testid="freshness">
      fresh as of <span className="num">{relative(now - age, now)}</span>
    </span>
  );
}
