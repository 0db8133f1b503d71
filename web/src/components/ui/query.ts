"use client";
import { usePathname, useSearchParams } from "next/navigation";
import { useCallback } from "react";

/** The options chosen on a page, stored in its query string. Null removes an option. */
export function useQuery(): [URLSearchParams, (change: Record<string, string | null>) => void] {
  const query = useSearchParams();
  const pathname = usePathname();
  const change = useCallback(
    (values: Record<string, string | null>) => {
      const next = new URLSearchParams(window.location.search);
      for (const [name, value] of Object.entries(values)) {
        if (value === null || value === "") next.delete(name);
        else next.set(name, value);
      }
      window.history.replaceState(null, "", `${pathname}?${next.toString()}`);
    },
    [pathname],
  );
  return [query, change];
}
