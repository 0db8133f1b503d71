import type { ErrorResponse } from "@/contract/types";
import { clock, serverTime } from "./clock";

/** A refusal by the server, or the failure to reach it (status 0). */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly retryable: boolean,
    readonly retryAfterMs: number | null = null,
    readonly requestId: string | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }

  get unreachable(): boolean {
    return this.status === 0;
  }

  get denied(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export interface RequestOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  headers?: Record<string, string>;
  body?: unknown;
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  /** Absent on 304. */
  body: T | null;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** JSON over HTTP to the dashboard server; every request has a time-out. */
export class Http {
  constructor(
    /** The address of the dashboard server, without a slash at its end. */
    readonly base: string,
    private readonly token: () => string | null = () => null,
  ) {}

  async get<T>(path: string, options: RequestOptions = {}): Promise<T> {
    const { body } = await this.request<T>(path, options);
    if (body === null) throw new ApiError("The answer was empty.", 204, "empty", true);
    return body;
  }

  private authorization(): Record<string, string> {
    const token = this.token();
    return token === null ? {} : { authorization: `Bearer ${token}` };
  }

  async request<T>(path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const started = clock.now();
    try {
      const response = await fetch(this.base + path, {
        method: options.body === undefined ? "GET" : "POST",
        headers: {
          accept: "application/json",
          ...this.authorization(),
          ...(options.body === undefined ? {} : { "content-type": "application/json" }),
          ...options.headers,
        },
        body: options.body === undefined ? undefined : JSON.stringify(options.body),
        cache: "no-store",
        signal,
      });
      const { headers } = response;
      noteTime(headers, clock.now() - started);
      if (response.status === 304) return { status: 304, headers, body: null };
      if (!response.ok) throw await refusal(response);
      return { status: response.status, headers, body: (await response.json()) as T };
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw asApiError(error);
    }
  }
}

/** The header gives full seconds. */
function noteTime(headers: Headers, tookMs: number): void {
  const date = Date.parse(headers.get("date") ?? "");
  if (!Number.isNaN(date)) serverTime.heard(date, date + 1_000, tookMs);
}

async function refusal(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as Partial<ErrorResponse> | null;
  const error = body?.error;
  return new ApiError(
    error?.message ?? `The server answered ${response.status}.`,
    response.status,
    error?.code ?? `http_${response.status}`,
    error?.retryable ?? response.status >= 500,
    error?.retry_after_ms ?? null,
    error?.request_id ?? null,
  );
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DOMException && error.name === "TimeoutError")
    return new ApiError("The dashboard server did not answer in time.", 0, "timeout", true);
  if (error instanceof SyntaxError)
    return new ApiError("The answer was not what the dashboard server sends.", 502, "not_json", true);
  return new ApiError("The dashboard server cannot be reached.", 0, "unreachable", true);
}
