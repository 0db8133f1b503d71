import type { Session } from "@/contract/types";
import { serverTime } from "./clock";
import type { Http } from "./http";

const EXPIRY_MARGIN_MS = 15_000;

/** Holds the viewer's short-lived token. */
export class SessionKeeper {
  private current: Session | null = null;
  private pending: Promise<Session> | null = null;

  constructor(private readonly http: Http) {}

  /** The status server's address may be relative to the dashboard server's. */
  private located(session: Session): Session {
    const { url, path } = session.websocket;
    const { origin, pathname } = new URL(url, `${this.http.base}/`);
    const websocket = { ...session.websocket, url: origin, path: pathname.replace(/\/$/, "") + path };
    return { ...session, websocket };
  }

  /** The last session, expired or not. */
  get known(): Session | null {
    return this.current;
  }

  async get(): Promise<Session> {
    return this.current && !this.isExpiring() ? this.current : this.refresh();
  }

  /** Requests a new token; concurrent callers share one request. */
  refresh(): Promise<Session> {
    this.pending ??= this.http
      .get<Session>("/api/session", { timeoutMs: 5_000 })
      .then((session) => (this.current = this.located(session)))
      .finally(() => (this.pending = null));
    return this.pending;
  }

  forget(): void {
    this.current = null;
  }

  /** When the token should be renewed (Unix time in ms); null when it does not expire. */
  renewAt(): number | null {
    if (!this.current?.expires_at) return null;
    const now = serverTime.now();
    const left = Date.parse(this.current.expires_at) - now;
    return now + Math.min(left * 0.8, left - EXPIRY_MARGIN_MS);
  }

  private isExpiring(): boolean {
    const expiry = this.current?.expires_at;
    return expiry != null && Date.parse(expiry) - serverTime.now() < EXPIRY_MARGIN_MS;
  }
}
