interface Timed {
  started_at: string | null;
  finished_at: string | null;
}

/** How long a finished attempt took, from its start to its commit; null while it runs. */
export function attemptSeconds({ started_at, finished_at }: Timed): number | null {
  if (started_at === null || finished_at === null) return null;
  const seconds = (Date.parse(finished_at) - Date.parse(started_at)) / 1000;
  return seconds >= 0 ? seconds : null;
}
