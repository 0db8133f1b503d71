"use client";
import { useEffect, useState, type ReactNode } from "react";
import { createBrowserClient, startInBrowser } from "@/client/browser";
import { serverTime } from "@/client/clock";
import { BASE_PATH } from "@/components/ui/links";
import { tellTimeBy } from "@/components/ui/now";
import { ClientProvider } from "@/react/provider";

/** Creates the page's client and runs it while the page is open. */
export function Started({ children }: { children: ReactNode }) {
  const [client] = useState(() => createBrowserClient(BASE_PATH));
  useEffect(() => {
    tellTimeBy(() => serverTime.now());
    return startInBrowser(client);
  }, [client]);
  return <ClientProvider client={client}>{children}</ClientProvider>;
}
