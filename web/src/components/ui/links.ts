/** The app's addresses. What a page shows is in its query string. */

/** The path below which the app is served, such as `/rag`; empty at the root of a host. */
export const BASE_PATH = readBasePath();

export const OVERVIEW_HREF = `${BASE_PATH}/`;

interface Named {
  get: (name: string) => string | null;
}

/** The pipeline that an address names, as `pipeline` or as `id`. */
export function pipelineIn(query: Named): string {
  return query.get("pipeline") ?? query.get("id") ?? "";
}

export function pipelineHref(pipelineId: string, more: Record<string, string> = {}): string {
  return `${BASE_PATH}/pipeline/?${new URLSearchParams({ id: pipelineId, ...more }).toString()}`;
}

export function fileHref(pipelineId: string, fileId: string): string {
  return `${BASE_PATH}/file/?${new URLSearchParams({ pipeline: pipelineId, id: fileId }).toString()}`;
}

export function eventsHref(pipelineId: string, more: Record<string, string> = {}): string {
  return `${BASE_PATH}/events/?${new URLSearchParams({ pipeline: pipelineId, ...more }).toString()}`;
}

export function searchHref(text: string): string {
  return `${BASE_PATH}/search/?${new URLSearchParams({ q: text }).toString()}`;
}

/** The server adds a `<base>` element to each page. Its address holds while the page's own changes. */
function readBasePath(): string {
  if (typeof document === "undefined" || !document.querySelector("base")) return "";
  return new URL(document.baseURI).pathname.replace(/\/$/, "");
}
