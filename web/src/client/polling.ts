import type { RagStatus } from "@/contract/types";
import { clock } from "./clock";
import { ApiError, type Answer, type Http } from "./http";
import type { Timing } from "./timing";
import type { PollHandlers, PollingTransport } from "./transports";

const PATH = "/api/rag-status";
const ANSWER_TIMEOUT_SECONDS = 6;
const HIDDEN_INTERVAL_MS = 10_000;
const WORKING_INTERVAL_MS = 1_000;
const SHORTEST_INTERVAL_MS = 100;
const PART_INTERVAL_MS = 20;
/** Proxies accept request lines of 8 KB or more. */
const LONGEST_CURSOR_IN_URL = 4_000;

/** What the server has sent, in its own words: it sends what has changed since. */
interface Place {
  cursor: string;
  seen: string;
  /** Whether the first part was asked for with a cursor. */
  sinceCursor: boolean;
  /** Whether pipelines are left, so that the next part comes first. */
  isPart: boolean;
}

interface Question {
  cursor: string | null;
  seen: string;
  wait: number;
  sinceCursor: boolean;
}

/**
 * Polls `/api/rag-status` with the same cursor as the WebSocket, until it is stopped. Many pipelines come in
 * parts, and after that those that have changed.
 */
export class Poller implements PollingTransport {
  private readonly stopping = new AbortController();
  private wake: (() => void) | null = null;
  private etag: string | null = null;
  private failures = 0;
  private first = true;
  private startOver = false;
  private place: Place | null = null;

  constructor(
    private readonly http: Http,
    private readonly handlers: PollHandlers,
    private readonly timing: Timing,
  ) {}

  start(): void {
    void this.run();
  }

  stop(): void {
    this.stopping.abort();
    this.wake?.();
  }

  /** Polls now instead of after the pause. */
  pollNow(): void {
    this.wake?.();
  }

  /** Polls without a cursor, so that the answer replaces what is known. */
  pollFromStart(): void {
    this.startOver = true;
    this.pollNow();
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const pause = await this.poll();
      if (!this.stopped && pause > 0) await this.sleep(pause);
    }
  }

  /** Polls once; returns how long to pause, in ms. */
  private async poll(): Promise<number> {
    const question = this.question();
    const { wait } = question;
    const started = clock.now();
    try {
      const { status, body, headers } = await this.request(question);
      if (this.stopped) return 0;
      const tookMs = clock.now() - started;
      const completeAt = readAt(headers, started);
      if (wait === 0) this.handlers.latency(tookMs);
      this.failures = 0;
      this.first = false;
      this.etag = headers.get("etag");
      if (status === 304 || body === null) {
        this.handlers.unchanged(completeAt);
        return this.intervalMs(null, wait, tookMs);
      }
      this.startOver = false;
      const isPart = body.seen !== undefined && (body.pipelines_left ?? 0) > 0;
      const { sinceCursor } = question;
      this.place =
        body.seen === undefined ? null : { cursor: body.next_cursor, seen: body.seen, sinceCursor, isPart };
      this.handlers.answer(body, sinceCursor, body.up_to_date ? completeAt : null);
      if (isPart) return PART_INTERVAL_MS;
      return body.up_to_date ? this.intervalMs(body.poll_after_ms, wait, tookMs) : SHORTEST_INTERVAL_MS;
    } catch (error) {
      return this.stopped ? 0 : this.onFailure(error);
    }
  }

  private onFailure(error: unknown): number {
    const refusal = error instanceof ApiError ? error : new ApiError(String(error), 0, "unknown", true);
    this.etag = null;
    if (refusal.status === 422) this.place = null;
    if (refusal.code.startsWith("cursor_")) {
      this.startOver = true;
      return SHORTEST_INTERVAL_MS;
    }
    this.failures += 1;
    this.first = true;
    this.handlers.failed(refusal, this.failures);
    const { firstMs, longestMs } = this.timing.pollRetry;
    const pause = firstMs * 2 ** Math.min(this.failures - 1, 8) * (0.75 + Math.random() / 2);
    return Math.max(refusal.retryAfterMs ?? 0, Math.min(pause, longestMs));
  }

  private question(): Question {
    const { place } = this;
    if (place?.isPart && !this.startOver) return { ...place, wait: 0 };
    const cursor = this.startOver ? null : this.handlers.cursor();
    const seen = place !== null && place.cursor === cursor ? place.seen : "";
    return { cursor, seen, wait: this.waitSeconds(), sinceCursor: cursor !== null };
  }

  private request({ cursor, seen, wait }: Question): Promise<Answer<RagStatus>> {
    const options = {
      signal: this.stopping.signal,
      timeoutMs: (wait + ANSWER_TIMEOUT_SECONDS) * 1_000,
    };
    if (cursor !== null && cursor.length > LONGEST_CURSOR_IN_URL)
      return this.http.request(PATH, { ...options, body: { cursor, seen, wait } });
    const query = new URLSearchParams({ seen });
    if (cursor !== null) query.set("cursor", cursor);
    if (wait > 0) query.set("wait", String(wait));
    return this.http.request(`${PATH}?${query.toString()}`, { ...options, headers: this.conditions(cursor) });
  }

  /** The ETag changes with progress too, which does not move the cursor. */
  private conditions(cursor: string | null): Record<string, string> {
    return cursor !== null && this.etag !== null ? { "if-none-match": this.etag } : {};
  }

  private waitSeconds(): number {
    if (this.first || this.startOver || this.handlers.working() || this.handlers.hidden()) return 0;
    return this.timing.longPollSeconds;
  }

  private intervalMs(askedMs: number | null, wait: number, tookMs: number): number {
    if (this.handlers.hidden()) return HIDDEN_INTERVAL_MS;
    const held = wait > 0 && tookMs > WORKING_INTERVAL_MS;
    const aboutToWait = wait === 0 && !this.handlers.working();
    if (held || aboutToWait) return SHORTEST_INTERVAL_MS;
    return Math.max(SHORTEST_INTERVAL_MS, askedMs ?? WORKING_INTERVAL_MS);
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wake = done;
    });
  }
}

/** The time on the page's clock as of which an answer is complete, never too late: the request took time to arrive. */
function readAt(headers: Headers, started: number): number | null {
  const after = Number.parseFloat(headers.get("x-read-after-ms") ?? "");
  return Number.isNaN(after) ? null : started + after;
}
