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

/** The time in ms, once a second, one clock for the whole page. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, current, () => 0);
}

function current(): number {
  // Nobody ticks yet: one reading serves the first render, to the second, so that it is stable.
  if (timer === null && Date.now() - now > 1_000) now = Date.now();
  return now;
}
