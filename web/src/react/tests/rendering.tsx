import { act, cleanup, render, type RenderResult } from "@testing-library/react";
import type { ReactNode } from "react";
import { Client } from "@/client/client";
import { ApiError } from "@/client/http";
import { Log } from "@/client/tests/log";
import { ClientProvider } from "../provider";

/** A component over a client that is not connected: its store is filled by hand, its requests are answered by hand. */
export class Page {
  readonly log = new Log();
  readonly requests: string[] = [];
  readonly client: Client;
  private readonly answers = new Map<string, unknown>();

  constructor() {
    cleanup();
    this.client = new Client({
      base: "",
      schedule: (run) => run(),
      hidden: () => false,
      choices: { get: () => null, set: () => undefined },
      tabSecrets: { get: () => null, set: () => undefined },
    });
    this.client.http.request = ((path: string) => {
      this.requests.push(path);
      return this.answer(path);
    }) as Client["http"]["request"];
    this.client.store.replace(this.log.status());
  }

  get state() {
    const state = this.client.store.pipeline(this.log.id);
    if (!state) throw new Error("The pipeline is not known.");
    return state;
  }

  /** Answers requests whose path begins so; an `ApiError` refuses them. */
  serve(path: string, answer: unknown): void {
    this.answers.set(path, answer);
  }

  /** Lets events arrive, and the components see them. */
  hear(...events: Parameters<Client["store"]["enqueue"]>[0]): void {
    act(() => this.client.store.enqueue(events));
  }

  render(what: ReactNode): RenderResult {
    return render(<ClientProvider client={this.client}>{what}</ClientProvider>);
  }

  private async answer(path: string): Promise<{ status: number; headers: Headers; body: unknown }> {
    await Promise.resolve();
    const [, answer] = [...this.answers].reverse().find(([start]) => path.startsWith(start)) ?? [];
    if (answer instanceof ApiError) throw answer;
    if (answer === undefined) throw new ApiError(`Nothing answers ${path}.`, 404, "not_found", false);
    return { status: 200, headers: new Headers(), body: answer };
  }
}
