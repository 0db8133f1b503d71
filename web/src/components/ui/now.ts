"use client";
import { useSyncExternalStore } from "react";

let time: () => number = Date.now;
let now = time();
let timer: ReturnType<typeof setInterval> | null = null;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = time();
    for (const each of listeners) each();
  }, 1_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
}

/** Sets what tells the time, in ms since 1970: times of the servers are compared with theirs. */
export function tellTimeBy(source: () => number): void {
  time = source;
}

/** The current time in ms. */
export function currentTime(): number {
  return time();
}

/** The current time in ms, updated once a second. One timer serves the whole page. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, current, () => 0);
}

function current(): number {
  // Before the timer starts, the time is read at most once a second, so that the first render is stable.
  if (timer === null && Math.abs(time() - now) > 1_000) now = time();
  return now;
}
