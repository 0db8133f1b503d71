import type { Session } from "@/contract/types";
import { Http } from "./http";
import { Poller } from "./polling";
import { ConnectionRunner } from "./runner";
import { SessionKeeper } from "./session";
import { Store } from "./store";
import { TIMING, type Timing } from "./timing";
import type { SocketHandlers } from "./transports";

/** What the client needs from its environment. */
export interface Environment {
  /** Base address of the dashboard server; empty for the page's own. */
  base: string;
  /** Calls back at the next frame. */
  schedule: (run: () => void) => void;
  hidden: () => boolean;
  /** Remembers a choice on this device. */
  choices: Memory;
  /** Remembers the viewer's token until the tab is closed. */
  secrets: Memory;
  timing?: Timing;
}

export interface Memory {
  get(key: string): string | null;
  set(key: string, value: string | null): void;
}

const PREFER_POLLING = "raglive.prefer-polling";
const TOKEN = "raglive.token";

/** Follows all pipelines that a viewer may see, over whatever transport works. */
export class Client {
  readonly http: Http;
  readonly store: Store;
  private readonly runner: ConnectionRunner;

  constructor(private readonly environment: Environment) {
    const { base, schedule, hidden, choices, secrets, timing = TIMING } = environment;
    this.http = new Http(base, () => secrets.get(TOKEN));
    this.store = new Store(schedule);
    const loadSocket = async () => {
      const { SocketConnection } = await import("./socket");
      return (session: Session, handlers: SocketHandlers) => new SocketConnection(session, handlers, timing);
    };
    this.runner = new ConnectionRunner(
      this.http,
      new SessionKeeper(this.http),
      this.store,
      { loadSocket, createPoller: (handlers) => new Poller(this.http, handlers, timing) },
      { preferPolling: choices.get(PREFER_POLLING) === "yes", hidden, clientId: newClientId(), timing },
    );
  }

  get connection() {
    return this.runner.connection;
  }

  /** Calls back when `connection` changes; returns how to stop. */
  onConnection = (listener: () => void): (() => void) => this.runner.subscribe(listener);

  start(): void {
    this.runner.dispatch({ type: "start" });
  }

  stop(): void {
    this.runner.dispatch({ type: "stop" });
  }

  /** Tries the WebSocket and the poll at once. */
  retryNow(): void {
    this.runner.dispatch({ type: "retry_now" });
  }

  /** Checks the connection after sleep, or when the network is back. */
  wake(): void {
    this.runner.dispatch({ type: "woke" });
  }

  setActivity(activity: "active" | "idle" | "background"): void {
    this.runner.dispatch({ type: "activity", activity });
  }

  preferPolling(prefer: boolean): void {
    this.environment.choices.set(PREFER_POLLING, prefer ? "yes" : null);
    this.runner.dispatch({ type: "prefer_polling", prefer });
  }

  /** Uses a token of the viewer's own until the tab is closed. */
  signIn(token: string): void {
    this.environment.secrets.set(TOKEN, token);
    this.runner.dispatch({ type: "signed_in" });
  }

  /** Whether this tab uses a token of the viewer's own. */
  hasToken(): boolean {
    return this.environment.secrets.get(TOKEN) !== null;
  }
}

/** `randomUUID` exists only on pages from HTTPS or localhost. */
function newClientId(): string {
  return globalThis.crypto.randomUUID?.() ?? Math.random().toString(36).slice(2);
}
