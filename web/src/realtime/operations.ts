import type { RetryAnswer, RetryRequest } from "@/contract/types";
import { client } from "./client";

/** Tries failed files again; returns how many were queued. Throws `ApiError`. */
export async function retryFiles(pipelineId: string, files: RetryRequest): Promise<number> {
  const path = `/api/pipelines/${encodeURIComponent(pipelineId)}/retry`;
  const { body } = await client().http.request<RetryAnswer>(path, { body: files });
  return body?.requeued ?? 0;
}
