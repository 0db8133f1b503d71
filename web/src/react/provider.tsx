"use client";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createContext, useContext, useState, type ReactNode } from "react";
import type { Client } from "@/client/client";
import type { ApiError } from "@/client/http";

declare module "@tanstack/react-query" {
  interface Register {
    defaultError: ApiError;
  }
}

const ClientContext = createContext<Client | null>(null);

/** Gives components a client; what they fetch through it is cached with it. */
export function ClientProvider({ client, children }: { client: Client; children: ReactNode }) {
  const [queries] = useState(newQueryClient);
  return (
    <ClientContext value={client}>
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    </ClientContext>
  );
}

/** The client of the nearest provider. Throws without one. */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("useClient needs a ClientProvider above it.");
  return client;
}

/** Events say what changed, so nothing is fetched again by time, focus or reconnection. */
function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: false,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        networkMode: "always",
      },
      mutations: { networkMode: "always" },
    },
  });
}
