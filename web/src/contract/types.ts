// Generated from contract/schema by `npm run generate`. Do not edit.

/**
 * The stages of an attempt, in this order.
 */
export type Stage = "extraction" | "chunking" | "embedding" | "storing";
export type Event =
  | PipelineOnline
  | PipelineOffline
  | FileProcessing
  | FileProgress
  | FileCompleted
  | FileFailed
  | FileSkipped
  | FileDeleted
  | StatusUpdate
  | Heartbeat
  | PipelineSummary;
/**
 * The state of a file in the registry.
 */
export type FileState = "queued" | "processing" | "completed" | "failed" | "skipped" | "deleted";
/**
 * What a token is for.
 */
export type Role = "viewer" | "operator" | "producer" | "admin";
export type SubmittedEvent =
  | SubmittedPipelineOnline
  | SubmittedPipelineOffline
  | SubmittedFileProcessing
  | SubmittedFileProgress
  | SubmittedFileCompleted
  | SubmittedFileFailed
  | SubmittedFileSkipped
  | SubmittedFileDeleted
  | SubmittedStatusUpdate
  | SubmittedHeartbeat;

/**
 * A recently completed file.
 */
export interface CompletedEntry {
  id: string;
  name: string;
  /**
   * bytes
   */
  size?: number;
  mime_type?: string;
  /**
   * folder of the file below the watched location; '' for the location itself
   */
  folder?: string;
  url?: string;
  started_at?: string;
  completed_at: string;
  results: FileResults;
  attempt: number;
}
/**
 * The results of a completed attempt.
 */
export interface FileResults {
  chunks_created: number;
  /**
   * chunks whose vectors were not stored yet
   */
  embeddings_generated: number;
  /**
   * seconds of processing until storing began; the whole attempt took `completed_at` minus `started_at`
   */
  processing_duration: number;
  /**
   * characters of text
   */
  content_length: number;
}
/**
 * A file that was indexed and is searchable.
 */
export interface CompletedFile {
  id: string;
  name: string;
  /**
   * bytes
   */
  size?: number;
  mime_type?: string;
  /**
   * folder of the file below the watched location; '' for the location itself
   */
  folder?: string;
  url?: string;
  started_at?: string;
  completed_at: string;
}
/**
 * The number of files in each state.
 */
export interface Counts {
  queued: number;
  processing: number;
  completed: number;
  failed: number;
  skipped: number;
  /**
   * queued files that wait for a retry; also counted in `queued`
   */
  waiting: number;
}
/**
 * A file that was removed from its source and from the index.
 */
export interface DeletedFile {
  id: string;
  name: string;
  deleted_at: string;
}
/**
 * A pipeline's budget for embeddings, in the currency of the configured price.
 */
export interface EmbeddingBudget {
  amount: number;
  period: "day" | "month" | "total";
  /**
   * spent in the current period (UTC)
   */
  spent: number;
}
/**
 * Usage of embedding providers. The built-in model is not counted.
 */
export interface EmbeddingUsage {
  texts: number;
  tokens: number;
  /**
   * in the currency of the configured price
   */
  cost: number;
}
/**
 * The estimated time for all queued and running files, from recently completed files.
 */
export interface Estimate {
  /**
   * null if there is no estimate
   */
  seconds_left: number | null;
  unknown_because: ("nothing_to_do" | "paused" | "offline" | "too_few_completed") | null;
  /**
   * queued and running files, without those that wait for a retry
   */
  files_left: number;
  stages: StageRate[];
}
/**
 * The recent duration of a stage per mebibyte of file size.
 */
export interface StageRate {
  stage: Stage;
  /**
   * seconds
   */
  seconds_per_mebibyte: number;
}
/**
 * A pipeline has started.
 */
export interface PipelineOnline {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  seq: number;
  cursor: string;
  type: "pipeline:online";
  status: "online";
  started_at: string;
  /**
   * seconds
   */
  check_interval: number;
  watch_location: string;
}
/**
 * A pipeline has stopped, or its heartbeat is missing.
 */
export interface PipelineOffline {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  seq: number;
  cursor: string;
  type: "pipeline:offline";
  status: "offline";
  shutdown_at: string;
  reason: "normal_shutdown" | "error" | "timeout";
}
/**
 * An attempt at a file has started.
 */
export interface FileProcessing {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  seq: number;
  cursor: string;
  type: "file:processing";
  file: ProcessingFile;
  processing_stage: Stage;
  /**
   * seconds
   */
  estimated_duration?: number;
  attempt: number;
}
/**
 * A file that is being processed.
 */
export interface ProcessingFile {
  id: string;
  name: string;
  /**
   * bytes
   */
  size?: number;
  mime_type?: string;
  /**
   * folder of the file below the watched location; '' for the location itself
   */
  folder?: string;
  url?: string;
  started_at: string;
}
/**
 * The progress of the running attempt; conflated.
 */
export interface FileProgress {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  type: "file:progress";
  file: FileRef;
  processing_stage: Stage;
  progress: number;
  attempt: number;
}
/**
 * A reference to a file. The id stays the same when the file is renamed or moved.
 */
export interface FileRef {
  id: string;
  name: string;
}
/**
 * A file's chunks are searchable, committed together with this event.
 */
export interface FileCompleted {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  seq: number;
  cursor: string;
  type: "file:completed";
  file: CompletedFile;
  results: FileResults;
  success: true;
  attempt: number;
  /**
   * @maxItems 16
   */
  stages?: StageDuration[];
}
/**
 * The duration of one stage. Waiting before the first stage counts for none.
 */
export interface StageDuration {
  stage: Stage;
  /**
   * seconds in this stage
   */
  duration: number;
}
/**
 * An attempt failed.
 */
export interface FileFailed {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  seq: number;
  cursor: string;
  type: "file:failed";
  file: FailedFile;
  error: FileError;
  success: false;
  attempt: number;
  /**
   * @maxItems 16
   */
  stages?: StageDuration[];
}
/**
 * A file with a failed attempt.
 */
export interface FailedFile {
  id: string;
  name: string;
  /**
   * bytes
   */
  size?: number;
  mime_type?: string;
  /**
   * folder of the file below the watched location; '' for the location itself
   */
  folder?: string;
  url?: string;
  started_at?: string;
  failed_at: string;
}
/**
 * The reason why an attempt failed, and whether it is retried.
 */
export interface FileError {
  type: string;
  code: string;
  message: string;
  stage?: Stage;
  retryable: boolean;
  next_attempt_at?: string;
}
/**
 * A file has no content that can be indexed; this is not a failure.
 */
export interface FileSkipped {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  seq: number;
  cursor: string;
  type: "file:skipped";
  file: SkippedFile;
  reason: SkipReason;
  attempt?: number;
  /**
   * @maxItems 16
   */
  stages?: StageDuration[];
}
/**
 * A file without content that can be indexed.
 */
export interface SkippedFile {
  id: string;
  name: string;
  /**
   * bytes
   */
  size?: number;
  mime_type?: string;
  /**
   * folder of the file below the watched location; '' for the location itself
   */
  folder?: string;
  url?: string;
  started_at?: string;
  skipped_at: string;
}
/**
 * The reason why a file was skipped.
 */
export interface SkipReason {
  code: string;
  message: string;
}
/**
 * A file was removed from its source, and its chunks from the index.
 */
export interface FileDeleted {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  seq: number;
  cursor: string;
  type: "file:deleted";
  file: DeletedFile;
  reason: "removed" | "trashed" | "moved_out";
}
/**
 * Another change of the pipeline; carries the complete status.
 */
export interface StatusUpdate {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  seq: number;
  cursor: string;
  type: "status:update";
  changes: {
    [k: string]: unknown;
  };
  current_status: PipelineStatus;
}
/**
 * The status of a pipeline, exact at `cursor`.
 */
export interface PipelineStatus {
  pipeline_id: string;
  pipeline_type: string;
  status: "online" | "offline";
  /**
   * why it is offline; absent while it is online, or never was
   */
  offline_reason?: "normal_shutdown" | "error" | "timeout";
  /**
   * raglive watches its source. An event of a file, or a heartbeat, of another pipeline makes it online
   */
  managed: boolean;
  started_at?: string;
  watch_location?: string;
  problem?: Problem;
  paused?: Pause;
  last_heartbeat?: string;
  last_check_time?: string;
  next_check_time?: string;
  /**
   * seconds
   */
  check_interval?: number;
  /**
   * seconds
   */
  seconds_until_next_check?: number;
  is_checking: boolean;
  last_activity?: string;
  files_processing: ProcessingEntry[];
  /**
   * the last 10, newest first
   */
  files_completed: CompletedEntry[];
  /**
   * the last 5, newest first
   */
  files_failed: FailedEntry[];
  /**
   * number of `file:completed` events so far
   */
  total_processed: number;
  /**
   * number of files that failed for good so far
   */
  total_failed: number;
  counts: Counts;
  cursor: string;
  /**
   * 64 hexadecimal digits; empty before the first event
   */
  digest: string;
}
/**
 * What prevents a pipeline from working, until somebody acts.
 */
export interface Problem {
  code: string;
  message: string;
  since: string;
}
/**
 * Why a pipeline starts no files at present. It resumes by itself when the cause ends.
 */
export interface Pause {
  code: string;
  message: string;
  what_to_do?: string;
  since: string;
}
/**
 * A file in progress, with its stage and progress.
 */
export interface ProcessingEntry {
  id: string;
  name: string;
  /**
   * bytes
   */
  size?: number;
  mime_type?: string;
  /**
   * folder of the file below the watched location; '' for the location itself
   */
  folder?: string;
  url?: string;
  started_at: string;
  processing_stage: Stage;
  progress: number;
  attempt: number;
  standing?: "processing" | "stuck" | "lost";
  /**
   * when it last progressed
   */
  moved_at?: string;
}
/**
 * A recently failed file.
 */
export interface FailedEntry {
  id: string;
  name: string;
  /**
   * bytes
   */
  size?: number;
  mime_type?: string;
  /**
   * folder of the file below the watched location; '' for the location itself
   */
  folder?: string;
  url?: string;
  started_at?: string;
  failed_at: string;
  error: FileError;
  attempt: number;
}
/**
 * The pipeline is alive; a viewer that has seen `head_seq` is up to date.
 */
export interface Heartbeat {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  type: "heartbeat";
  status: "alive";
  /**
   * seconds
   */
  uptime: number;
  /**
   * bytes
   */
  memory_usage: number;
  active_files: number;
  head_seq: number;
  digest: string;
  last_check_time?: string;
  next_check_time?: string;
  is_checking: boolean;
}
/**
 * Counts, failures, throughput and stalled files, all exact at `head_seq`; conflated.
 *
 * The server sends it after the answer to `subscribe`, and again when it has changed, at most
 * once a second. Producers do not publish it.
 */
export interface PipelineSummary {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type: string;
  timestamp: string;
  type: "pipeline:summary";
  head_seq: number;
  digest: string;
  counts: Counts;
  /**
   * files that are not searchable, grouped by reason
   *
   * @maxItems 50
   */
  failures: FailureGroup[];
  throughput: Throughput;
  /**
   * files in progress that make no progress
   *
   * @maxItems 200
   */
  standings: FileStanding[];
}
/**
 * Files that failed, wait for a retry, or were skipped, for the same reason.
 */
export interface FailureGroup {
  state: "failed" | "waiting" | "skipped";
  code: string;
  stage: Stage | null;
  count: number;
  /**
   * message of the latest file
   */
  message: string;
  /**
   * every file of the group has this message
   */
  is_common: boolean;
  retryable: boolean;
  /**
   * earliest time among files that wait for a retry
   */
  next_attempt_at: string | null;
  what_to_do: string;
}
/**
 * The files finished in the last half hour, and an estimate for the remaining ones.
 */
export interface Throughput {
  /**
   * seconds
   */
  bucket_seconds: number;
  buckets: ThroughputBucket[];
  estimate: Estimate;
  usage: EmbeddingUsage1;
  total_usage: EmbeddingUsage2;
  /**
   * null without a budget
   */
  budget: EmbeddingBudget | null;
}
/**
 * The number of files that were finished in one interval.
 */
export interface ThroughputBucket {
  start: string;
  completed: number;
  failed: number;
}
/**
 * usage in this month (UTC)
 */
export interface EmbeddingUsage1 {
  texts: number;
  tokens: number;
  /**
   * in the currency of the configured price
   */
  cost: number;
}
/**
 * usage since the pipeline was created
 */
export interface EmbeddingUsage2 {
  texts: number;
  tokens: number;
  /**
   * in the currency of the configured price
   */
  cost: number;
}
/**
 * A file in progress that makes no progress.
 */
export interface FileStanding {
  id: string;
  standing: "stuck" | "lost";
  /**
   * when its attempt last progressed
   */
  moved_at: string | null;
}
/**
 * One attempt at a file, from its claim to its commit. Attempts are never deleted.
 */
export interface Attempt {
  attempt: number;
  worker: string | null;
  started_at: string;
  finished_at: string | null;
  outcome: "running" | "completed" | "failed" | "skipped" | "lost" | "cancelled";
  stages: StageDuration[];
  error: FileError | null;
}
/**
 * A file's chunks in order; `next` is the `after` of the next page.
 */
export interface ChunkPage {
  chunks: IndexedChunk[];
  /**
   * the last chunk index of this page
   */
  next: number | null;
}
/**
 * A chunk of a file, as stored in the index.
 */
export interface IndexedChunk {
  chunk_index: number;
  content: string;
  page: number | null;
}
/**
 * The health of the database, measured by a query.
 */
export interface DatabaseHealth {
  status: "healthy" | "unhealthy";
  latency: number | null;
  error?: string;
}
/**
 * Why a request was refused.
 */
export interface ErrorBody {
  code: string;
  message: string;
  retryable: boolean;
  retry_after_ms?: number;
  request_id?: string;
}
/**
 * The body of every refusal over HTTP.
 */
export interface ErrorResponse {
  error: ErrorBody;
}
/**
 * Durable events, newest first; pass `next` as `before` to get the next page.
 */
export interface EventPage {
  events: Event[];
  next: string | null;
  cursor: string;
  digest: string;
}
/**
 * The files that are not searchable, grouped by reason.
 */
export interface FailureGroups {
  groups: FailureGroup[];
}
/**
 * A file with all its attempts and its first chunks.
 */
export interface FileDetail {
  file: FileRow;
  /**
   * advice for a file that failed, was skipped, or waits for a retry
   */
  what_to_do: string | null;
  usage: EmbeddingUsage;
  attempts: Attempt[];
  chunks: IndexedChunk[];
  chunk_count: number;
}
/**
 * A file in the registry, with its latest attempt.
 */
export interface FileRow {
  id: string;
  name: string;
  folder: string;
  url: string | null;
  mime_type: string | null;
  size: number | null;
  state: FileState;
  standing:
    | ("processing" | "stuck" | "lost")
    | ("queued" | "waiting" | "completed" | "failed" | "skipped" | "deleted");
  processing_stage: Stage | null;
  progress: number | null;
  attempt: number;
  results: FileResults | null;
  error: FileError | null;
  reason: SkipReason | null;
  first_seen_at: string;
  started_at: string | null;
  finished_at: string | null;
  updated_at: string;
  /**
   * when the running attempt last progressed
   */
  moved_at: string | null;
  /**
   * time of the next retry, if one is scheduled
   */
  next_attempt_at: string | null;
}
/**
 * A page of a pipeline's files; pass `next` as `after` to get the next page.
 */
export interface FilePage {
  files: FileRow[];
  next: string | null;
  total: number;
}
/**
 * The file that contains a hit.
 */
export interface HitFile {
  id: string;
  name: string;
  folder: string;
  url: string | null;
  mime_type: string | null;
  pipeline_id: string;
  indexed_at: string;
}
/**
 * A range of characters; the offsets count code points.
 */
export interface Mark {
  start: number;
  end: number;
}
/**
 * The health of the pipelines of one type: the worst state among them.
 */
export interface PipelineHealth {
  status: "healthy" | "degraded" | "unhealthy";
  state: "running" | "paused" | "needs_attention" | "silent" | "offline";
  last_heartbeat: string | null;
  problem?: Problem1;
  paused?: Pause1;
}
/**
 * What prevents a pipeline from working, until somebody acts.
 */
export interface Problem1 {
  code: string;
  message: string;
  since: string;
}
/**
 * Why a pipeline starts no files at present. It resumes by itself when the cause ends.
 */
export interface Pause1 {
  code: string;
  message: string;
  what_to_do?: string;
  since: string;
}
/**
 * A page of pipelines that the caller may view; pass `next` as `after` to get the next page.
 */
export interface PipelineList {
  pipelines: PipelineStatus[];
  next: string | null;
  total: number;
}
/**
 * `GET /api/rag-status`: the status of every pipeline, and the events since `cursor`.
 *
 * Pipelines that do not fit into about 100 kB are left out and counted in `pipelines_left`. With
 * `seen`, the answer has only the pipelines that have changed, and the next poll has the rest.
 * `status` and `last_activity` are those of all pipelines, and the lists of files are those of the
 * pipelines in the answer.
 */
export interface RagStatus {
  status: "online" | "offline";
  pipelines: RagStatusPipeline[];
  serverTime: string;
  /**
   * status of the pipeline if there is exactly one and it is sent, else null
   */
  status_details: PipelineStatus | null;
  last_activity: string | null;
  files_processing: {
    [k: string]: unknown;
  }[];
  files_completed: {
    [k: string]: unknown;
  }[];
  files_failed: {
    [k: string]: unknown;
  }[];
  websocket_available: boolean;
  websocket_url: string;
  websocket_namespaces: string[];
  /**
   * whether the status server is down, so that clients must poll
   */
  fallback_mode: boolean;
  /**
   * durable events after `cursor`, in order
   */
  events: Event[];
  next_cursor: string;
  /**
   * false if more events or, with `seen`, pipelines are available: poll again at once
   */
  up_to_date: boolean;
  poll_after_ms: number;
  /**
   * revisions of the pipelines that were sent, to pass on with `next_cursor`; only if `seen` was passed
   */
  seen?: string;
  /**
   * epochs (the part of a cursor before the dot) of pipelines that the cursor names and the caller can no longer view; only if `seen` was passed
   */
  removed?: string[];
  /**
   * pipelines that did not fit; absent if there are none
   */
  pipelines_left?: number;
}
/**
 * One pipeline in `GET /api/rag-status`.
 */
export interface RagStatusPipeline {
  pipeline_id: string;
  pipeline_type: string;
  server_status: "online" | "offline";
  last_heartbeat: string | null;
  status_details: PipelineStatus;
  /**
   * whether the pipeline is online and its heartbeat is recent
   */
  is_active: boolean;
  summary: PipelineSummary;
}
/**
 * The number of files that were queued again.
 */
export interface RetryAnswer {
  requeued: number;
}
/**
 * The files to retry: by id, by error code, or all failed files if neither is given.
 */
export interface RetryRequest {
  /**
   * @minItems 1
   * @maxItems 1000
   */
  file_ids?: string[];
  code?: string;
}
/**
 * `GET /v1/search` and `GET /api/search`: the best matching chunks, best first.
 */
export interface SearchAnswer {
  mode: "hybrid" | "vector" | "text";
  hits: SearchHit[];
}
/**
 * A chunk that matches a search.
 */
export interface SearchHit {
  /**
   * relevance, by which hits are ordered
   */
  score: number;
  /**
   * cosine similarity of the vectors; null in a search by words only
   */
  similarity: number | null;
  /**
   * which searches found the chunk
   */
  matched: ("text" | "vector")[];
  content: string;
  /**
   * most relevant part of `content`
   */
  snippet: string;
  /**
   * matched words in `snippet`
   */
  marks: Mark[];
  file: HitFile;
  chunk_index: number;
  page: number | null;
}
/**
 * `GET /health` of the status server: its state and number of clients.
 */
export interface ServerHealth {
  status: "healthy" | "degraded" | "unhealthy";
  http_server: "running";
  websocket_server: "running" | "draining";
  /**
   * what is wrong
   */
  problems: string[];
  connected_clients: number;
  version: string;
  /**
   * seconds
   */
  uptime: number;
}
/**
 * The health of the database, the status server and the pipelines.
 */
export interface ServiceHealth {
  database: DatabaseHealth;
  websocket: WebSocketHealth;
  rag_pipelines: {
    [k: string]: PipelineHealth;
  };
}
/**
 * The health of the status server, measured by a request.
 */
export interface WebSocketHealth {
  status: "healthy" | "degraded" | "unhealthy";
  url: string;
  latency: number | null;
  connected_clients: number | null;
}
/**
 * `GET /api/session`: a short-lived token for the dashboard's own page.
 */
export interface Session {
  token: string | null;
  expires_at: string | null;
  role: Role | null;
  /**
   * whether file names and details are masked
   */
  redacted: boolean;
  /**
   * whether the page may retry files
   */
  may_operate: boolean;
  websocket: WebSocketPlace;
  version: string;
}
/**
 * The public address of the status server, with its Socket.IO path and namespaces.
 */
export interface WebSocketPlace {
  /**
   * an origin; `.` is the address of the dashboard
   */
  url: string;
  path: string;
  namespaces: string[];
  /**
   * the namespace of every pipeline, whatever its type
   */
  every_pipeline: string;
}
/**
 * `POST /api/sign-in`: the one-time secret of the address that `raglive up` prints.
 */
export interface SignInRequest {
  secret: string;
}
/**
 * The answer to `POST /api/sign-in`: the token of the browser.
 */
export interface SignedIn {
  token: string;
  expires_at: string;
}
/**
 * The features that the status server offers at the moment.
 */
export interface SocketFeatures {
  realtime_updates: boolean;
  file_progress: boolean;
  auto_reconnect: boolean;
  fallback_polling: boolean;
}
/**
 * `GET /api/socket/info`: whether the status server accepts connections.
 */
export interface SocketInfo {
  available: boolean;
  url: string;
  path: string;
  namespaces: string[];
  transports: string[];
  version: string;
  health: "healthy" | "degraded" | "unavailable";
  latency: number | null;
  features: SocketFeatures;
  last_checked: string;
}
/**
 * The status server's answer to the connection test.
 */
export interface SocketServerInfo {
  version: string;
  connected_clients: number;
  /**
   * seconds
   */
  uptime: number;
}
/**
 * The result of a Socket.IO round trip to the status server.
 */
export interface SocketTest {
  success: boolean;
  latency: number | null;
  transport: string | null;
  timestamp: string;
  server_info: SocketServerInfo | null;
  error: string | null;
}
/**
 * The body of `POST /api/socket/test`.
 */
export interface SocketTestRequest {
  pipelineType?: string;
}
/**
 * `GET /api/health` with a token: the health of the system and of its services.
 */
export interface SystemHealth {
  status: "healthy" | "degraded" | "unhealthy";
  timestamp: string;
  services: ServiceHealth;
  version: string;
  /**
   * seconds
   */
  uptime: number;
}
/**
 * `GET /api/health` without a token: the health of the whole system.
 */
export interface SystemState {
  status: "healthy" | "degraded" | "unhealthy";
  timestamp: string;
}
/**
 * The answer to `client:status`.
 */
export interface Acknowledged {
  ok: true;
}
/**
 * An audited action: subject, time, origin and outcome. It contains no secrets.
 */
export interface AuditEvent {
  timestamp: string;
  action: string;
  /**
   * `ok`, or the code of the refusal
   */
  outcome: string;
  /**
   * of the token
   */
  subject?: string;
  token_id?: string;
  address?: string;
  connection?: string;
  namespace?: string;
  pipeline_id?: string;
  detail?: {
    [k: string]: unknown;
  };
}
/**
 * The token expires soon: send `auth:refresh`.
 */
export interface AuthExpiring {
  expires_at: string;
}
/**
 * Replaces the token of an open connection.
 */
export interface AuthRefresh {
  token: string;
}
/**
 * The second argument of the answer to `ping`: how far the server's knowledge reaches.
 */
export interface Bookmark {
  /**
   * age of what this connection was sent: every event committed before that was sent before this answer. null while the connection is behind
   */
  lag_ms: number | null;
}
/**
 * Whether a client is active, idle or in the background.
 */
export interface ClientStatus {
  client_id: string;
  status: "active" | "idle" | "background";
  timestamp: string | number;
}
/**
 * Several events in one message, in order.
 */
export interface EventsBatch {
  events: Event[];
}
/**
 * The state of the status server, sent to the room every second.
 */
export interface MonitoringStatus {
  timestamp: string;
  /**
   * seconds
   */
  uptime: number;
  /**
   * time since the log was last read to its end
   */
  lag: number;
  /**
   * connections to namespaces
   */
  connections: number;
  /**
   * Engine.IO sessions below them, by WebSocket or polling
   */
  transports: number;
  by_namespace: {
    [k: string]: number;
  };
  subscriptions: number;
  /**
   * over Socket.IO
   */
  requests_per_second: number;
  /**
   * events emitted to rooms
   */
  events_per_second: number;
  /**
   * refusals by error code since the server started
   */
  refusals: {
    [k: string]: number;
  };
}
/**
 * A pipeline was removed with its files and its log; one of the same id has another epoch.
 */
export interface PipelineRemoved {
  pipeline_id: string;
}
/**
 * The answer to a publication. Accepted events are committed.
 */
export interface PublishAck {
  ok: true;
  /**
   * position after the last event in each published pipeline
   */
  cursor: string;
  accepted: number;
  duplicates: number;
}
/**
 * The answer to a request that was refused.
 */
export interface Refused {
  ok: false;
  error: ErrorBody;
}
/**
 * The server is about to close this connection, for the reason in `error`.
 */
export interface ServerClosing {
  error: ErrorBody;
}
/**
 * The server is shutting down.
 */
export interface ServerDraining {
  /**
   * milliseconds to wait before reconnecting
   */
  retry_in: number;
}
/**
 * The answer to `unsubscribe` and `auth:refresh`: the remaining subscriptions.
 */
export interface StillSubscribed {
  ok: true;
  pipelines: string[];
}
/**
 * Subscribe to pipelines; without `pipeline_id`, to all that the token may view.
 *
 * With `room`, subscribe to the administrators' room instead, and to no pipelines.
 */
export interface Subscribe {
  pipeline_id?: string | string[];
  pipeline_type?: string;
  cursor?: string;
  /**
   * receive events in `events:batch` instead of one by one
   */
  batch?: boolean;
  client_info?: {
    [k: string]: unknown;
  };
  room: "admin:monitoring";
}
/**
 * The answer to `subscribe`.
 */
export interface SubscribeAck {
  ok: true;
  pipelines: SubscribedPipeline[];
}
/**
 * A viewer's position in one pipeline's log. Missed events were sent before this answer.
 */
export interface SubscribedPipeline {
  pipeline_id: string;
  snapshot: PipelineStatus;
  cursor: string;
  digest: string;
  recovered: boolean;
  replayed: number;
}
/**
 * Unsubscribe from pipelines; without fields, from all. With `room`, leave only that room.
 */
export interface Unsubscribe {
  pipeline_id?: string | string[];
  pipeline_type?: string;
  room: "admin:monitoring";
}
/**
 * A batch of events to publish; it is committed as a whole or not at all.
 */
export interface Submission {
  /**
   * @minItems 1
   * @maxItems 1000
   */
  events: SubmittedEvent[];
}
/**
 * `pipeline:online`, as published.
 */
export interface SubmittedPipelineOnline {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "pipeline:online";
  status: "online";
  started_at: string;
  /**
   * seconds
   */
  check_interval: number;
  watch_location: string;
}
/**
 * `pipeline:offline`, as published.
 */
export interface SubmittedPipelineOffline {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "pipeline:offline";
  status: "offline";
  shutdown_at: string;
  reason: "normal_shutdown" | "error" | "timeout";
}
/**
 * `file:processing`, as published.
 */
export interface SubmittedFileProcessing {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "file:processing";
  file: ProcessingFile;
  processing_stage: Stage;
  /**
   * seconds
   */
  estimated_duration?: number;
  attempt: number;
}
/**
 * `file:progress`, as published.
 */
export interface SubmittedFileProgress {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "file:progress";
  file: FileRef;
  processing_stage: Stage;
  progress: number;
  attempt: number;
}
/**
 * `file:completed`, as published.
 */
export interface SubmittedFileCompleted {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "file:completed";
  file: CompletedFile;
  results: FileResults;
  success: true;
  attempt: number;
  /**
   * @maxItems 16
   */
  stages?: StageDuration[];
}
/**
 * `file:failed`, as published.
 */
export interface SubmittedFileFailed {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "file:failed";
  file: FailedFile;
  error: FileError;
  success: false;
  attempt: number;
  /**
   * @maxItems 16
   */
  stages?: StageDuration[];
}
/**
 * `file:skipped`, as published.
 */
export interface SubmittedFileSkipped {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "file:skipped";
  file: SkippedFile;
  reason: SkipReason;
  attempt?: number;
  /**
   * @maxItems 16
   */
  stages?: StageDuration[];
}
/**
 * `file:deleted`, as published.
 */
export interface SubmittedFileDeleted {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "file:deleted";
  file: DeletedFile;
  reason: "removed" | "trashed" | "moved_out";
}
/**
 * `status:update`, as published; the log adds the current status.
 */
export interface SubmittedStatusUpdate {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "status:update";
  changes: {
    [k: string]: unknown;
  };
}
/**
 * `heartbeat`, as published; the log adds the head.
 */
export interface SubmittedHeartbeat {
  /**
   * UUIDv7; an event is published once for each id
   */
  id: string;
  pipeline_id: string;
  pipeline_type?: string;
  timestamp?: string;
  type: "heartbeat";
  status: "alive";
  /**
   * seconds
   */
  uptime: number;
  /**
   * bytes
   */
  memory_usage: number;
  active_files: number;
}
