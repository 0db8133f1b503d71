import { ApiError, type Http } from "./http";

export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: ApiError | null;
  readonly loading: boolean;
  /** Unix time in ms of the last answer. */
  readonly fetchedAt: number | null;
}

interface Entry {
  resource: Resource<unknown>;
  listeners: Set<() => void>;
  request: AbortController | null;
}

export const NOTHING: Resource<never> = { data: undefined, error: null, loading: false, fetchedAt: null };
const KEPT = 60;

/** Answers of the dashboard server by path: shared, kept while refetched, bounded. */
export class Resources {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly http: Http) {}

  get<T>(path: string): Resource<T> {
    return (this.entries.get(path)?.resource ?? NOTHING) as Resource<T>;
  }

  subscribe(path: string, listener: () => void): () => void {
    const entry = this.entry(path);
    entry.listeners.add(listener);
    return () => {
      entry.listeners.delete(listener);
      if (entry.listeners.size === 0) entry.request?.abort();
    };
  }

  /** Fetches anew; what is known stays until the answer comes, and beside an error. */
  async load(path: string): Promise<void> {
    const entry = this.entry(path);
    entry.request?.abort();
    const request = (entry.request = new AbortController());
    this.put(entry, { loading: true });
    try {
      const data = await this.http.get<unknown>(path, { signal: request.signal });
      this.put(entry, { data, error: null, loading: false, fetchedAt: Date.now() });
    } catch (error) {
      if (request.signal.aborted) {
        if (entry.request === request) this.put(entry, { loading: false });
        return;
      }
      const refusal = error instanceof ApiError ? error : new ApiError(String(error), 0, "unknown", true);
      this.put(entry, { error: refusal, loading: false });
    }
  }

  private entry(path: string): Entry {
    let entry = this.entries.get(path);
    if (!entry) {
      entry = { resource: { ...NOTHING, loading: true }, listeners: new Set(), request: null };
      this.entries.set(path, entry);
      this.forget();
    }
    return entry;
  }

  private forget(): void {
    if (this.entries.size <= KEPT) return;
    for (const [path, entry] of this.entries) {
      if (entry.listeners.size > 0) continue;
      this.entries.delete(path);
      return;
    }
  }

  private put(entry: Entry, change: Partial<Resource<unknown>>): void {
    entry.resource = { ...entry.resource, ...change };
    for (const listener of entry.listeners) listener();
  }
}
