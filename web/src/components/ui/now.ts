"use client";
import { useSyncExternalStore } from "react";

let now = Date.now();
let timer: ReturnType<typeof setInterval> | null = null;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 1_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
}

/** The current time in ms, updated once a second. One timer serves the whole page. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, current, () => 0);
}

function current(): number {
  // Before the timer starts, the time is read at most once a second, so that the first render is stable.
  if (timer === null && Date.now() - now > 1_000) now = Date.now();
  return now;
}
