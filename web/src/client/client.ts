import type { Session, SignedIn } from "@/contract/types";
import { Http } from "./http";
import { Poller } from "./polling";
import { ConnectionRunner } from "./runner";
import { SessionKeeper } from "./session";
import { Store } from "./store";
import { TIMING, type Timing } from "./timing";
import type { SocketHandlers } from "./transports";

/** What the client needs from its environment. */
export interface Environment {
  /** The address of the dashboard server, without a slash at its end. */
  base: string;
  /** Calls back at the next frame. */
  schedule: (run: () => void) => void;
  hidden: () => boolean;
  /** Remembers choices, and the token of a one-time secret, in this browser. */
  choices: Memory;
  /** Remembers a token that the viewer entered, until the tab is closed. */
  tabSecrets: Memory;
  /** The one-time secret that the page was opened with, once. */
  takeSignInSecret?: () => string | null;
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
  private stopped = false;
  private signInRefusal: string | null = null;

  constructor(private readonly environment: Environment) {
    const { base, schedule, hidden, choices, timing = TIMING } = environment;
    this.http = new Http(base, () => this.token());
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
    this.stopped = false;
    const secret = this.environment.takeSignInSecret?.() ?? null;
    if (secret === null) this.runner.dispatch({ type: "start" });
    else void this.signInWithSecret(secret).then(() => this.startUnlessStopped());
  }

  stop(): void {
    this.stopped = true;
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
    this.signInRefusal = null;
    this.environment.tabSecrets.set(TOKEN, token);
    this.runner.dispatch({ type: "signed_in" });
  }

  /** Forgets the tokens of this tab and of this browser; the page must be loaded again. */
  signOut(): void {
    this.environment.tabSecrets.set(TOKEN, null);
    this.environment.choices.set(TOKEN, null);
  }

  hasToken(): boolean {
    return this.token() !== null;
  }

  /** Why the one-time secret was refused; null when there was none, or it was accepted. */
  get refusedSecret(): string | null {
    return this.signInRefusal;
  }

  private token(): string | null {
    return this.environment.tabSecrets.get(TOKEN) ?? this.environment.choices.get(TOKEN);
  }

  /** Exchanges the secret for a token; when it is refused, a token of before may still be valid. */
  private async signInWithSecret(secret: string): Promise<void> {
    try {
      const { body } = await this.http.request<SignedIn>("/api/sign-in", { body: { secret } });
      this.signOut();
      this.environment.choices.set(TOKEN, body?.token ?? null);
    } catch (error) {
      this.signInRefusal = error instanceof Error ? error.message : String(error);
    }
  }

  private startUnlessStopped(): void {
    if (!this.stopped) this.runner.dispatch({ type: "start" });
  }
}

/** `randomUUID` exists only on pages from HTTPS or localhost. */
function newClientId(): string {
  return globalThis.crypto.randomUUID?.() ?? Math.random().toString(36).slice(2);
}
