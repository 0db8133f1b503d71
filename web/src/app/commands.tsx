"use client";
import { Cable, LogOut, Moon, RefreshCw, SunMoon, Sun } from "lucide-react";
import type { Client } from "@/client/client";
import { CommandPalette, type Command } from "@/features/command/palette";
import { showConnection } from "@/features/connection/badge";
import { setTheme } from "@/features/shell/theme";
import { useConnection } from "@/react/hooks";
import { useClient } from "@/react/provider";

function signOut(client: Client): void {
  client.signOut();
  location.reload();
}

/** The command palette, with the actions of all features. */
export function Commands() {
  const client = useClient();
  const { preferPolling: polls } = useConnection();
  const commands: Command[] = [
    { id: "connection", label: "Connection details and test", icon: Cable, run: showConnection },
    {
      id: "polling",
      label: polls ? "Use the WebSocket again" : "Prefer polling",
      icon: RefreshCw,
      run: () => client.preferPolling(!polls),
    },
    { id: "sign-out", label: "Sign out of this browser", icon: LogOut, run: () => signOut(client) },
    { id: "light", label: "Light theme", icon: Sun, run: () => setTheme("light") },
    { id: "dark", label: "Dark theme", icon: Moon, run: () => setTheme("dark") },
    { id: "system", label: "Theme as the system", icon: SunMoon, run: () => setTheme("system") },
  ];
  return <CommandPalette commands={commands} />;
}
