/** The app's addresses. What a page shows is in its query string. */

interface Named {
  get: (name: string) => string | null;
}

/** The pipeline that an address names, as `pipeline` or as `id`. */
export function pipelineIn(query: Named): string {
  return query.get("pipeline") ?? query.get("id") ?? "";
}

export function pipelineHref(pipelineId: string, more: Record<string, string> = {}): string {
  return `/pipeline/?${new URLSearchParams({ id: pipelineId, ...more }).toString()}`;
}

export function fileHref(pipelineId: string, fileId: string): string {
  return `/file/?${new URLSearchParams({ pipeline: pipelineId, id: fileId }).toString()}`;
}

export function eventsHref(pipelineId: string, more: Record<string, string> = {}): string {
  return `/events/?${new URLSearchParams({ pipeline: pipelineId, ...more }).toString()}`;
}

export function searchHref(text: string): string {
  return `/search/?${new URLSearchParams({ q: text }).toString()}`;
}
