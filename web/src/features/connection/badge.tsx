"use client";
import { Clock, CloudOff, LoaderCircle, LockKeyhole, Radio, RefreshCw } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { buttonClass } from "@/components/ui/button";
import { classes } from "@/components/ui/classes";
import { roughly } from "@/components/ui/format";
import { useNow } from "@/components/ui/now";
import { Popover } from "@/components/ui/popover";
import type { Connection, ConnectionState } from "@/client/connection";
import { useConnection } from "@/react/hooks";

/** Fetched when the badge is first opened. */
const ConnectionDetails = lazy(() => import("./details"));

const LOOKS = {
  connecting: { word: "Connecting", icon: LoaderCircle, tone: "text-muted" },
  live: { word: "Live", icon: Radio, tone: "text-completed" },
  polling: { word: "Polling", icon: RefreshCw, tone: "text-waiting" },
  stale: { word: "Not current", icon: Clock, tone: "text-waiting" },
  offline: { word: "Offline", icon: CloudOff, tone: "text-failed" },
  signed_out: { word: "Signed out", icon: LockKeyhole, tone: "text-muted" },
} satisfies Record<ConnectionState, object>;

const EVENT = "raglive-connection-details";

/** Opens the badge from elsewhere. */
export function showConnection(): void {
  window.dispatchEvent(new Event(EVENT));
}

export function ConnectionBadge() {
  const connection = useConnection();
  const [open, setOpen] = useState(false);
  const { word, icon: Icon, tone } = LOOKS[connection.state];
  useEffect(() => {
    document.documentElement.dataset.connection = connection.state;
  }, [connection.state]);
  useEffect(() => {
    const show = () => setOpen(true);
    window.addEventListener(EVENT, show);
    return () => window.removeEventListener(EVENT, show);
  }, []);
  return (
    <>
      <Popover
        label="Connection"
        open={open}
        onOpenChange={setOpen}
        className="w-[min(360px,calc(100vw-16px))]"
        trigger={(props) => (
          <button
            {...props}
            type="button"
            data-testid="connection-badge"
            data-state={connection.state}
            data-reason={connection.reason.code}
            className={buttonClass("outline", "gap-2 px-2!")}
          >
            <Icon
              size={14}
              aria-hidden
              className={classes(
                "shrink-0",
                tone,
                connection.state === "connecting" && "animate-[spin_1.4s_linear_infinite]",
              )}
            />
            <span className={tone}>{word}</span>
            <BadgeDetail connection={connection} />
          </button>
        )}
      >
        <Suspense>
          <ConnectionDetails />
        </Suspense>
      </Popover>
      <p aria-live="polite" className="sr-only">
        {connection.state === "connecting" ? "" : `${word}. ${connection.reason.message}`}
      </p>
    </>
  );
}

function BadgeDetail({ connection }: { connection: Connection }) {
  const now = useNow();
  if (connection.state === "live")
    return (
      <span className="num hidden text-xs font-normal text-faint sm:inline">
        {connection.latencyMs === null ? "" : `${Math.max(1, Math.round(connection.latencyMs))} ms`}
      </span>
    );
  if (connection.state === "connecting" || connection.state === "signed_out") return null;
  return (
    <span className="num hidden text-xs font-normal text-faint sm:inline">
      {roughly(Math.max(0, now - connection.since) / 1000)}
    </span>
  );
}
