"use client";
import { useEffect, useState } from "react";

/** The value after it has not changed for `pauseMs`; an empty text without delay. */
export function useSettled(value: string, pauseMs: number): string {
  const [settled, setSettled] = useState(value);
  if (value === "" && settled !== "") setSettled("");
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), pauseMs);
    return () => clearTimeout(timer);
  }, [value, pauseMs]);
  return settled;
}
