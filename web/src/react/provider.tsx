"use client";
import { createContext, useContext, type ReactNode } from "react";
import type { Client } from "@/client/client";

const ClientContext = createContext<Client | null>(null);

/** Gives components a client. */
export function ClientProvider({ client, children }: { client: Client; children: ReactNode }) {
  return <ClientContext value={client}>{children}</ClientContext>;
}

/** The client of the nearest provider. Throws without one. */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("useClient needs a ClientProvider above it.");
  return client;
}
