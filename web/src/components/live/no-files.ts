import type { PipelineState } from "@/client/pipeline-state";

/** Says why a pipeline has no files yet, and how to add one. */
export function noFilesYet({ facts, type }: PipelineState): string {
  if (!facts.managed) return "The program that publishes this pipeline has reported none.";
  if (facts.problem) return "They appear here once the problem above is solved.";
  if (type === "google_drive")
    return "Put a document into the watched folder of Google Drive. It appears here with the next look for changes, and is searchable soon after.";
  return "Put a document into the watched folder. It appears here within a second and is searchable soon after.";
}
