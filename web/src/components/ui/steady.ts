"use client";
import { useEffect, useState } from "react";

const STEADY_MS = 1_200;

/** Holds each value for at least 1.2 s, so that short changes do not flash. */
export function useSteady<T>(value: T): T {
  const [shown, setShown] = useState({ value, at: 0 });
  useEffect(() => {
    if (Object.is(shown.value, value)) return;
    const due = Math.max(0, shown.at + STEADY_MS - Date.now());
    const timer = setTimeout(() => setShown({ value, at: Date.now() }), due);
    return () => clearTimeout(timer);
  }, [value, shown]);
  return shown.value;
}
