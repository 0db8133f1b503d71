// Generated from contract/schema by `npm run generate`. Do not edit.

/**
 * What is being done to a file, in this order.
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
 * Where a file stands.
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
 * A file lately completed.
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
   * where the file lies below the watched location, '' for its root
   */
  folder?: string;
  url?: string;
  started_at?: string;
  completed_at: string;
  results: FileResults;
  attempt: number;
}
/**
 * What a completed attempt made.
 */
export interface FileResults {
  chunks_created: number;
  /**
   * chunks that were not already embedded
   */
  embeddings_generated: number;
  /**
   * seconds
   */
  processing_duration: number;
  /**
   * characters of text
   */
  content_length: number;
}
/**
 * A file that is searchable.
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
   * where the file lies below the watched location, '' for its root
   */
  folder?: string;
  url?: string;
  started_at?: string;
  completed_at: string;
}
/**
 * How many files stand in each state now.
 */
export interface Counts {
  queued: number;
  processing: number;
  completed: number;
  failed: number;
  skipped: number;
  /**
   * of those queued: waiting for a retry
   */
  waiting: number;
}
/**
 * A file that is gone from its source, and from the index.
 */
export interface DeletedFile {
  id: string;
  name: string;
  deleted_at: string;
}
/**
 * What a pipeline may spend on embeddings, in the currency of the price that was set.
 */
export interface EmbeddingBudget {
  amount: number;
  period: "day" | "month" | "total";
  /**
   * in the period that runs (UTC)
   */
  spent: number;
}
/**
 * What was asked of embedding providers; what the built-in model does is not counted.
 */
export interface EmbeddingUsage {
  texts: number;
  tokens: number;
  /**
   * in the currency of the price that was set
   */
  cost: number;
}
/**
 * How long what is queued and in progress will take, judged by what was lately completed.
 */
export interface Estimate {
  /**
   * null when it cannot be known
   */
  seconds_left: number | null;
  unknown_because: ("nothing_to_do" | "paused" | "offline" | "too_few_completed") | null;
  /**
   * without those that wait for a retry
   */
  files_left: number;
  stages: StageRate[];
}
/**
 * How long a stage lately took for a mebibyte of the files.
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
 * A pipeline has stopped, or was found silent.
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
 * A file whose attempt has started.
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
   * where the file lies below the watched location, '' for its root
   */
  folder?: string;
  url?: string;
  started_at: string;
}
/**
 * How far the running attempt is; conflated.
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
 * Which file; the id outlives a rename.
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
 * How long a stage of an attempt took.
 */
export interface StageDuration {
  stage: Stage;
  /**
   * seconds
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
 * A file whose attempt failed.
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
   * where the file lies below the watched location, '' for its root
   */
  folder?: string;
  url?: string;
  started_at?: string;
  failed_at: string;
}
/**
 * Why an attempt failed, and whether there will be another.
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
 * A file holds nothing to index; this is not a failure.
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
 * A file that holds nothing that could be indexed.
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
   * where the file lies below the watched location, '' for its root
   */
  folder?: string;
  url?: string;
  started_at?: string;
  skipped_at: string;
}
/**
 * Why a file was skipped.
 */
export interface SkipReason {
  code: string;
  message: string;
}
/**
 * A file is gone from the source, and its chunks from the index.
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
 * Something else about the pipeline changed; carries the whole status.
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
 * The snapshot of a pipeline, exactly at `cursor`.
 */
export interface PipelineStatus {
  pipeline_id: string;
  pipeline_type: string;
  status: "online" | "offline";
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
   * file:completed events so far
   */
  total_processed: number;
  /**
   * files given up so far
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
 * What keeps a pipeline from doing its work, and needs somebody.
 */
export interface Problem {
  code: string;
  message: string;
  since: string;
}
/**
 * Why a pipeline takes up no file for now; it goes on by itself when that has passed.
 */
export interface Pause {
  code: string;
  message: string;
  what_to_do?: string;
  since: string;
}
/**
 * A file in progress.
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
   * where the file lies below the watched location, '' for its root
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
 * A file lately failed.
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
   * where the file lies below the watched location, '' for its root
   */
  folder?: string;
  url?: string;
  started_at?: string;
  failed_at: string;
  error: FileError;
  attempt: number;
}
/**
 * The pipeline is alive; `head_seq` says what a viewer must have seen to be up to date.
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
   * why files are not searchable
   *
   * @maxItems 50
   */
  failures: FailureGroup[];
  throughput: Throughput;
  /**
   * files in progress that do not progress
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
   * of the latest of them
   */
  message: string;
  retryable: boolean;
  /**
   * of the first of those that wait
   */
  next_attempt_at: string | null;
  what_to_do: string;
}
/**
 * What was finished in the last half hour, and what that says of the rest.
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
   * null when none is set
   */
  budget: EmbeddingBudget | null;
}
/**
 * What was finished in one span of time.
 */
export interface ThroughputBucket {
  start: string;
  completed: number;
  failed: number;
}
/**
 * of this month (UTC)
 */
export interface EmbeddingUsage1 {
  texts: number;
  tokens: number;
  /**
   * in the currency of the price that was set
   */
  cost: number;
}
/**
 * since the pipeline began
 */
export interface EmbeddingUsage2 {
  texts: number;
  tokens: number;
  /**
   * in the currency of the price that was set
   */
  cost: number;
}
/**
 * A file in progress that does not progress.
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
 * One attempt at a file; kept for ever.
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
 * A chunk as it is searched.
 */
export interface IndexedChunk {
  chunk_index: number;
  content: string;
  page: number | null;
}
/**
 * The database, as a query found it.
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
 * Durable events, newest first; `next` is the `before` of the next page.
 */
export interface EventPage {
  events: Event[];
  next: string | null;
  cursor: string;
  digest: string;
}
/**
 * Why files are not searchable.
 */
export interface FailureGroups {
  groups: FailureGroup[];
}
/**
 * A file with its attempts and the beginning of its text.
 */
export interface FileDetail {
  file: FileRow;
  /**
   * while it is failed, skipped, or waits for a retry
   */
  what_to_do: string | null;
  usage: EmbeddingUsage;
  attempts: Attempt[];
  chunks: IndexedChunk[];
  chunk_count: number;
}
/**
 * A file as the registry has it.
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
   * in the future: waiting for a retry
   */
  next_attempt_at: string | null;
}
/**
 * Files of a pipeline; `next` is the `after` of the next page.
 */
export interface FilePage {
  files: FileRow[];
  next: string | null;
  total: number;
}
/**
 * The file that a hit was found in.
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
 * A part of a text, as offsets in code points.
 */
export interface Mark {
  start: number;
  end: number;
}
/**
 * The pipelines of one type; of several, the state of the one that is worst off.
 */
export interface PipelineHealth {
  status: "healthy" | "degraded" | "unhealthy";
  state: "running" | "paused" | "needs_attention" | "silent" | "offline";
  last_heartbeat: string | null;
  problem?: Problem1;
  paused?: Pause1;
}
/**
 * What keeps a pipeline from doing its work, and needs somebody.
 */
export interface Problem1 {
  code: string;
  message: string;
  since: string;
}
/**
 * Why a pipeline takes up no file for now; it goes on by itself when that has passed.
 */
export interface Pause1 {
  code: string;
  message: string;
  what_to_do?: string;
  since: string;
}
/**
 * Every pipeline that the caller may see.
 */
export interface PipelineList {
  pipelines: PipelineStatus[];
}
/**
 * `GET /api/rag-status`: the whole status, and the events since `cursor`.
 */
export interface RagStatus {
  status: "online" | "offline";
  pipelines: RagStatusPipeline[];
  serverTime: string;
  /**
   * of the pipeline, when it is one
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
   * the status server does not answer: keep polling
   */
  fallback_mode: boolean;
  /**
   * durable events after `cursor`, in order
   */
  events: Event[];
  next_cursor: string;
  /**
   * false when more events wait: poll again at once
   */
  up_to_date: boolean;
  poll_after_ms: number;
}
/**
 * One pipeline in `/api/rag-status`.
 */
export interface RagStatusPipeline {
  pipeline_id: string;
  pipeline_type: string;
  server_status: "online" | "offline";
  last_heartbeat: string | null;
  status_details: PipelineStatus;
  /**
   * online, with a heartbeat lately
   */
  is_active: boolean;
  summary: PipelineSummary;
}
/**
 * How many files were queued again.
 */
export interface RetryAnswer {
  requeued: number;
}
/**
 * Which files to try again: the named ones, those of one error, or all that failed.
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
 * `GET /v1/search` and `GET /api/search`: what answers a question, best first.
 */
export interface SearchAnswer {
  mode: "hybrid" | "vector" | "text";
  hits: SearchHit[];
}
/**
 * A chunk that answers a query.
 */
export interface SearchHit {
  /**
   * what hits are ordered by
   */
  score: number;
  /**
   * of the vectors; null when searched by words
   */
  similarity: number | null;
  /**
   * how it was found
   */
  matched: ("text" | "vector")[];
  content: string;
  /**
   * the part of it that tells most
   */
  snippet: string;
  /**
   * words of the query in `snippet`
   */
  marks: Mark[];
  file: HitFile;
  chunk_index: number;
  page: number | null;
}
/**
 * `GET /health` of the status server.
 */
export interface ServerHealth {
  status: "healthy" | "degraded" | "unhealthy";
  http_server: "running";
  websocket_server: "running" | "draining";
  connected_clients: number;
  version: string;
  /**
   * seconds
   */
  uptime: number;
}
/**
 * Every part of the system.
 */
export interface ServiceHealth {
  database: DatabaseHealth;
  websocket: WebSocketHealth;
  rag_pipelines: {
    [k: string]: PipelineHealth;
  };
}
/**
 * The status server, as a request found it.
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
   * names and details are withheld
   */
  redacted: boolean;
  /**
   * the page may ask for retries
   */
  may_operate: boolean;
  websocket: WebSocketPlace;
  version: string;
}
/**
 * Where the status server is.
 */
export interface WebSocketPlace {
  url: string;
  path: string;
  namespaces: string[];
}
/**
 * What the status server offers now.
 */
export interface SocketFeatures {
  realtime_updates: boolean;
  file_progress: boolean;
  auto_reconnect: boolean;
  fallback_polling: boolean;
}
/**
 * `GET /api/socket/info`: whether WebSockets are worth trying.
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
 * The status server, as the test found it.
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
 * The outcome of a real Socket.IO round trip.
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
 * `GET /api/health`.
 */
export interface SystemHealth {
  status: "healthy" | "degraded" | "unhealthy";
  services: ServiceHealth;
  version: string;
  /**
   * seconds
   */
  uptime: number;
  timestamp: string;
}
/**
 * The answer to `client:status`.
 */
export interface Acknowledged {
  ok: true;
}
/**
 * Who did what, when, from where, and how it ended; never a secret.
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
 * The token ends soon; send `auth:refresh`.
 */
export interface AuthExpiring {
  expires_at: string;
}
/**
 * A new token for an open connection.
 */
export interface AuthRefresh {
  token: string;
}
/**
 * What a page says of itself.
 */
export interface ClientStatus {
  client_id: string;
  status: "active" | "idle" | "background";
  timestamp: string | number;
}
/**
 * Several events at once, in order.
 */
export interface EventsBatch {
  events: Event[];
}
/**
 * How the status server fares; sent every second to those in the room.
 */
export interface MonitoringStatus {
  timestamp: string;
  /**
   * seconds
   */
  uptime: number;
  /**
   * since the log was last read to its end
   */
  lag: number;
  /**
   * to namespaces
   */
  connections: number;
  /**
   * below them: WebSockets, and sessions that poll
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
   * handed to rooms
   */
  events_per_second: number;
  /**
   * by code, since the server started
   */
  refusals: {
    [k: string]: number;
  };
}
/**
 * The answer to a publication: what was accepted is committed.
 */
export interface PublishAck {
  ok: true;
  /**
   * after the last event, of every pipeline published to
   */
  cursor: string;
  accepted: number;
  duplicates: number;
}
/**
 * The answer to any request that cannot be met.
 */
export interface Refused {
  ok: false;
  error: ErrorBody;
}
/**
 * The server is about to close this connection, and says why.
 */
export interface ServerClosing {
  error: ErrorBody;
}
/**
 * The server is about to stop.
 */
export interface ServerDraining {
  /**
   * milliseconds to wait before returning
   */
  retry_in: number;
}
/**
 * The answer to `unsubscribe` and `auth:refresh`: what is left.
 */
export interface StillSubscribed {
  ok: true;
  pipelines: string[];
}
/**
 * Ask for the events of pipelines; without `pipeline_id`, of all that the token may see.
 *
 * With `room`, ask for that of administrators instead, and for no pipelines.
 */
export interface Subscribe {
  pipeline_id?: string | string[];
  pipeline_type?: string;
  cursor?: string;
  /**
   * receive `events:batch` instead of one by one
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
 * Where a viewer stands with one pipeline; missed events were sent before this answer.
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
 * Leave pipelines; with no field, all of the namespace. With `room`, leave that alone.
 */
export interface Unsubscribe {
  pipeline_id?: string | string[];
  pipeline_type?: string;
  room: "admin:monitoring";
}
/**
 * A batch of events to publish; all of it is committed, or nothing.
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
