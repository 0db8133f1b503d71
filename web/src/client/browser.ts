import { Client, type Memory } from "./client";
import { onSignInAddress, takeSignInSecret } from "./sign-in";

declare global {
  interface Window {
    /** Read-only view for support and tests. */
    __raglive?: {
      state: () => string;
      connection: () => object;
      pipelines: () => object;
    };
  }
}

const HIDDEN_FRAME_MS = 250;
const IDLE_AFTER_MS = 120_000;
const TICK_MS = 2_000;
const ASLEEP_MS = 10_000;

/** A client of the server that the page comes from, at a path of its host; does nothing before it is started. */
export function createBrowserClient(basePath: string): Client {
  return new Client({
    base: (globalThis.location?.origin ?? "") + basePath, // no location while the app is built
    schedule: onNextFrame,
    hidden: () => document.visibilityState === "hidden",
    choices: memoryIn(() => localStorage, basePath),
    tabSecrets: memoryIn(() => sessionStorage, basePath),
    takeSignInSecret,
  });
}

/** Runs a client for as long as the page is open; returns how to stop. */
export function startInBrowser(client: Client): () => void {
  client.start();
  window.__raglive = Object.freeze({
    state: () => client.connection.state,
    connection: () => client.connection,
    pipelines: () => client.store.audit(),
  });
  const unwatch = watchBrowser(client);
  return () => {
    unwatch();
    client.stop();
  };
}

/** Tells the client what the browser knows: sleep, visibility, network, activity. */
function watchBrowser(client: Client): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  let lastInput = Date.now();
  let lastTick = Date.now();
  const tell = () => client.setActivity(activity(lastInput));
  const wake = () => client.wake();
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
  onSignInAddress(signal);
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

/** Hidden pages have no frames. */
function onNextFrame(run: () => void): void {
  if (document.visibilityState === "hidden") {
    setTimeout(run, HIDDEN_FRAME_MS);
    return;
  }
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    clearTimeout(late);
    run();
  };
  const late = setTimeout(once, HIDDEN_FRAME_MS);
  requestAnimationFrame(once);
}

/**
 * Without storage, a choice holds for this page. Apps at other paths of the host share the storage, so names end with
 * the path.
 */
function memoryIn(storage: () => Storage, basePath: string): Memory {
  const here = new Map<string, string>();
  return {
    get(key) {
      try {
        return storage().getItem(key + basePath);
      } catch {
        return here.get(key) ?? null;
      }
    },
    set(key, value) {
      try {
        if (value === null) storage().removeItem(key + basePath);
        else storage().setItem(key + basePath, value);
      } catch {
        if (value === null) here.delete(key);
        else here.set(key, value);
      }
    },
  };
}
