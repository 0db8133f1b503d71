interface Timed {
  started_at?: string | null;
  finished_at: string | null;
}

/**
 * How long a finished attempt took, from the moment a worker took the file to the commit of the outcome.
 * Every place that shows how long an attempt took shows this. Null while it runs, and when its start is
 * unknown.
 */
export function attemptSeconds({ started_at, finished_at }: Timed): number | null {
  if (started_at == null || finished_at === null) return null;
  const seconds = (Date.parse(finished_at) - Date.parse(started_at)) / 1000;
  return seconds >= 0 ? seconds : null;
}
