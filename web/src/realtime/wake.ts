import type { Engine } from "./engine";

const IDLE_AFTER_MS = 120_000;
const TICK_MS = 2_000;
const ASLEEP_MS = 10_000;

/** Tells the engine what the browser knows: sleep, sight, network, activity. Returns how to stop. */
export function watchBrowser(engine: Engine): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  let lastInput = Date.now();
  let lastTick = Date.now();
  const tell = () => engine.setActivity(activity(lastInput));
  const wake = () => engine.wake();
  const onInput = () => {
    lastInput = Date.now();
    tell();
  };
  const onVisibility = () => {
    tell();
    if (document.visibilityState === "visible") wake();
  };
  const onPageShow = (event: PageTransitionEvent) => {
    if (event.persisted) wake();
  };
  const tick = setInterval(() => {
    const slept = Date.now() - lastTick > ASLEEP_MS;
    lastTick = Date.now();
    if (slept && document.visibilityState === "visible") wake();
    tell();
  }, TICK_MS);
  document.addEventListener("visibilitychange", onVisibility, { signal });
  document.addEventListener("resume", wake, { signal });
  window.addEventListener("online", wake, { signal });
  window.addEventListener("offline", wake, { signal });
  window.addEventListener("pageshow", onPageShow, { signal });
  for (const type of ["pointermove", "keydown", "scroll"])
    window.addEventListener(type, onInput, { signal, passive: true, capture: true });
  return () => {
    clearInterval(tick);
    listening.abort();
  };
}

function activity(lastInput: number) {
  if (document.visibilityState === "hidden") return "background";
  return Date.now() - lastInput > IDLE_AFTER_MS ? "idle" : "active";
}
