import type { RagStatus } from "@/contract/types";
import { clock } from "./clock";
import { ApiError, type Http } from "./http";
import type { Timing } from "./timing";
import type { PollHandlers, PollingTransport } from "./transports";

const ANSWER_TIMEOUT_SECONDS = 6;
const HIDDEN_INTERVAL_MS = 10_000;
const WORKING_INTERVAL_MS = 1_000;
const SHORTEST_INTERVAL_MS = 100;

/** Polls `/api/rag-status` with the same cursor as the WebSocket, until it is stopped. */
export class Poller implements PollingTransport {
  private readonly stopping = new AbortController();
  private wake: (() => void) | null = null;
  private etag: string | null = null;
  private failures = 0;
  private first = true;
  private startOver = false;

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
    const cursor = this.startOver ? null : this.handlers.cursor();
    const wait = this.waitSeconds();
    const started = clock.now();
    try {
      const { status, body, headers } = await this.http.request<RagStatus>(this.path(cursor, wait), {
        signal: this.stopping.signal,
        timeoutMs: (wait + ANSWER_TIMEOUT_SECONDS) * 1_000,
        headers: this.conditions(cursor),
      });
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
      this.handlers.answer(body, cursor !== null, body.up_to_date ? completeAt : null);
      return body.up_to_date ? this.intervalMs(body.poll_after_ms, wait, tookMs) : SHORTEST_INTERVAL_MS;
    } catch (error) {
      return this.stopped ? 0 : this.onFailure(error);
    }
  }

  private onFailure(error: unknown): number {
    const refusal = error instanceof ApiError ? error : new ApiError(String(error), 0, "unknown", true);
    this.etag = null;
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

  private path(cursor: string | null, wait: number): string {
    const query = new URLSearchParams();
    if (cursor !== null) query.set("cursor", cursor);
    if (wait > 0) query.set("wait", String(wait));
    const text = query.toString();
    return text ? `/api/rag-status?${text}` : "/api/rag-status";
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
