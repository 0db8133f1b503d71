"use client";
import { absoluteTime, relative } from "@/components/ui/format";
import { useAge, useNow } from "@/components/ui/now";
import { useConnection } from "@/react/hooks";

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
