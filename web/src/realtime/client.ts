import { Engine } from "./engine";
import { Http } from "./http";
import { Resources } from "./resources";
import { SessionKeeper } from "./session";
import { Store, type PipelineAudit } from "./store";
import { watchBrowser } from "./wake";

export interface Client {
  http: Http;
  store: Store;
  engine: Engine;
  resources: Resources;
}

declare global {
  interface Window {
    /** Read-only view for support and tests. */
    __raglive?: {
      state: () => string;
      connection: () => object;
      pipelines: () => Record<string, PipelineAudit>;
    };
  }
}

const PREFER_POLLING = "raglive.prefer-polling";
const TOKEN = "raglive.token";
const HIDDEN_FRAME_MS = 250;
let shared: Client | null = null;

/** The page's one client. */
export function client(): Client {
  shared ??= create();
  return shared;
}

/** Starts the page's client; returns how to stop it. */
export function startClient(): () => void {
  const { engine, store } = client();
  engine.start();
  window.__raglive = Object.freeze({
    state: () => engine.connection.state,
    connection: () => engine.connection,
    pipelines: () => store.audit(),
  });
  const unwatch = watchBrowser(engine);
  return () => {
    unwatch();
    engine.stop();
  };
}

export function preferPolling(prefer: boolean): void {
  remember(PREFER_POLLING, prefer ? "yes" : null);
  client().engine.setPreferPolling(prefer);
}

/** Uses a token of the person's own, for as long as this tab is open. */
export function signIn(token: string): void {
  remember(TOKEN, token, sessionStorage);
  client().engine.signIn();
}

/** Whether this tab uses a token of the person's own. */
export function hasToken(): boolean {
  return recall(TOKEN, sessionStorage) !== null;
}

function create(): Client {
  const http = new Http("", () => recall(TOKEN, sessionStorage));
  const store = new Store(onNextFrame);
  const engine = new Engine(http, new SessionKeeper(http), store, {
    preferPolling: recall(PREFER_POLLING) === "yes",
    hidden: () => document.visibilityState === "hidden",
  });
  return { http, store, engine, resources: new Resources(http) };
}

/** Hidden pages have no frames. */
function onNextFrame(run: () => void): void {
  if (document.visibilityState === "hidden") setTimeout(run, HIDDEN_FRAME_MS);
  else {
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
}

function recall(key: string, storage = localStorage): string | null {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

function remember(key: string, value: string | null, storage = localStorage): void {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    // Without storage the choice holds for this page.
  }
}
