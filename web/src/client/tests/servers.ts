import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Server as SocketServer, type Socket } from "socket.io";
import type { Bookmark, Event, RagStatus, Session, Subscribe, SubscribeAck } from "@/contract/types";
import { Log } from "./log";

/** A dashboard server and a status server over one log; each can be killed. */
export class Servers {
  readonly log = new Log();
  /** Requests to `/api/rag-status` with a cursor before this seq are refused as too old. */
  oldestSeq = 0;
  answersPings = true;
  /** How far the status server is behind the log. */
  lagMs: number | null = 0;
  polls = 0;
  readonly requests: string[] = [];
  /** The `Authorization` headers of all requests except those to `/api/sign-in`. */
  readonly tokens = new Set<string>();
  private secretUsed = false;
  private dashboard: Server | null = null;
  private sockets: SocketServer | null = null;
  private socketHttp: Server | null = null;
  private readonly viewers = new Set<Socket>();
  private waiting: (() => void)[] = [];
  private dashboardPort = 0;
  private socketPort = 0;

  get url(): string {
    return `http://127.0.0.1:${this.dashboardPort}`;
  }

  async start(): Promise<void> {
    await this.startDashboard();
    await this.startSocket();
  }

  async startDashboard(): Promise<void> {
    this.dashboard = createServer((request, response) => void this.serve(request, response));
    this.dashboardPort = await listen(this.dashboard, this.dashboardPort);
  }

  async startSocket(): Promise<void> {
    this.socketHttp = createServer();
    this.sockets = new SocketServer(this.socketHttp, { transports: ["websocket"] });
    this.sockets.of("/pipelines").on("connection", (socket) => this.onConnection(socket));
    this.socketPort = await listen(this.socketHttp, this.socketPort);
  }

  /** As kill -9: connections end without a close frame. */
  async killSocket(): Promise<void> {
    this.viewers.clear();
    const http = this.socketHttp;
    this.socketHttp = null;
    for (const { transport } of rawConnections(this.sockets)) transport.socket.terminate();
    await close(http);
    await this.sockets?.close();
    this.sockets = null;
  }

  async killDashboard(): Promise<void> {
    const server = this.dashboard;
    this.dashboard = null;
    this.wake();
    await close(server);
  }

  async stop(): Promise<void> {
    if (this.socketHttp) await this.killSocket();
    await this.killDashboard();
  }

  /** Sends events to all viewers, over whatever transport they use. */
  publish(...events: Event[]): void {
    for (const viewer of this.viewers) viewer.emit("events:batch", { events });
    this.wake();
  }

  tell(type: string, body: object): void {
    for (const viewer of this.viewers) viewer.emit(type, body);
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const go of waiting) go();
  }

  private onConnection(socket: Socket): void {
    socket.emit("pipeline:status", this.log.status());
    socket.on("ping", (_at: number, answer: (time: number, bookmark: Bookmark) => void) => {
      if (this.answersPings) answer(Date.now(), { lag_ms: this.lagMs });
    });
    socket.on("auth:refresh", (_body: object, answer: (body: object) => void) =>
      answer({ ok: true, pipelines: [] }),
    );
    socket.on("subscribe", (body: Subscribe, answer: (body: SubscribeAck) => void) => {
      const { log } = this;
      const missed = body.cursor ? log.after(body.cursor) : null;
      if (missed && missed.length > 0) socket.emit("events:batch", { events: missed });
      this.viewers.add(socket);
      answer({
        ok: true,
        pipelines: [
          {
            pipeline_id: log.id,
            snapshot: log.status(),
            cursor: log.cursor,
            digest: log.digest,
            recovered: missed !== null,
            replayed: missed?.length ?? 0,
          },
        ],
      });
      socket.emit("pipeline:summary", log.summary());
    });
    socket.on("disconnect", () => this.viewers.delete(socket));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    this.requests.push(url.pathname);
    if (url.pathname === "/api/sign-in") {
      this.signIn(response);
      return;
    }
    this.tokens.add(request.headers.authorization ?? "");
    if (url.pathname === "/api/session") {
      send(response, 200, this.session());
      return;
    }
    if (url.pathname === "/api/socket/info") {
      send(response, 200, { available: this.socketHttp !== null });
      return;
    }
    if (url.pathname === "/api/rag-status") return this.poll(url, request, response);
    send(response, 404, { error: { code: "not_found", message: "?", retryable: false } });
  }

  private signIn(response: ServerResponse): void {
    const refusal = { code: "unauthenticated", message: "It has been used.", retryable: false };
    if (this.secretUsed) send(response, 401, { error: refusal });
    else send(response, 200, { token: "of-the-secret", expires_at: "2026-01-31T00:00:00.000Z" });
    this.secretUsed = true;
  }

  private async poll(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.polls += 1;
    const { log } = this;
    const cursor = url.searchParams.get("cursor");
    const wait = Number(url.searchParams.get("wait"));
    if (cursor === log.cursor && wait > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, wait * 1_000);
        this.waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    if (this.dashboard === null) return;
    const missed = cursor === null ? [] : log.after(cursor);
    const first = missed?.[0]?.seq;
    if (missed === null || (first !== undefined && first <= this.oldestSeq)) {
      send(response, 410, { error: { code: "cursor_expired", message: "Too old.", retryable: false } });
      return;
    }
    const etag = `"${log.cursor}${this.socketHttp ? "" : ";away"}"`;
    if (request.headers["if-none-match"] === etag) {
      send(response, 304, null, etag);
      return;
    }
    const details = { ...log.status() };
    const answer: Partial<RagStatus> = {
      status: "online",
      pipelines: [
        {
          pipeline_id: log.id,
          pipeline_type: log.type,
          server_status: "online",
          last_heartbeat: null,
          status_details: details,
          is_active: true,
          summary: log.summary(),
        },
      ],
      events: missed,
      websocket_available: this.socketHttp !== null,
      next_cursor: log.cursor,
      up_to_date: true,
      poll_after_ms: 50,
    };
    send(response, 200, answer, etag);
  }

  private session(): Session {
    return {
      token: "token",
      expires_at: new Date(Date.now() + 300_000).toISOString(),
      role: "viewer",
      redacted: false,
      websocket: {
        url: `http://127.0.0.1:${this.socketPort}`,
        path: "/socket.io",
        namespaces: ["/local_files"],
        every_pipeline: "/pipelines",
      },
      may_operate: false,
      version: "test",
    };
  }
}

interface RawConnection {
  transport: { socket: { terminate: () => void } };
}

function rawConnections(sockets: SocketServer | null): RawConnection[] {
  if (!sockets) return [];
  const { clients } = sockets.engine as unknown as { clients: Record<string, RawConnection> };
  return Object.values(clients);
}

function send(response: ServerResponse, status: number, body: object | null, etag?: string): void {
  const headers = { "content-type": "application/json", "x-read-after-ms": "0" };
  response.writeHead(status, { ...headers, ...(etag ? { etag } : {}) });
  response.end(body === null ? undefined : JSON.stringify(body));
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function close(server: Server | null): Promise<void> {
  if (!server) return;
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
