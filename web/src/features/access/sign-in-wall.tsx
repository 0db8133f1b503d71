"use client";
import { LockKeyhole } from "lucide-react";
import { useState, type SyntheticEvent, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/notice";
import { useConnection, usePipelineIds } from "@/react/hooks";
import { useClient } from "@/react/provider";

/** Asks for a token instead of showing the page while the viewer has no access. */
export function SignInWall({ children }: { children: ReactNode }) {
  const { reason } = useConnection();
  const nothingKnown = usePipelineIds().length === 0;
  return reason.code === "unauthorized" && nothingKnown ? <SignIn /> : children;
}

function Command({ children }: { children: string }) {
  return <code className="font-mono text-xs text-ink">{children}</code>;
}

function SignIn() {
  const client = useClient();
  const [token, setToken] = useState("");
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (token.trim()) client.signIn(token.trim());
  };
  return (
    <Empty icon={LockKeyhole} title="You have no access yet" className="py-24">
      {client.refusedSecret && (
        <p role="alert" className="mb-2 text-failed">
          {client.refusedSecret}
        </p>
      )}
      <p>
        Does raglive run on this machine? <Command>raglive open</Command> in a terminal signs this browser in.
      </p>
      <p className="mt-2">
        Otherwise paste a token. The person who runs this installation can make one with{" "}
        <Command>raglive token --role viewer</Command>.
      </p>
      <form onSubmit={submit} className="mt-5 flex gap-2">
        <input
          type="password"
          autoComplete="off"
          aria-label="Token"
          data-testid="token"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          className="h-8 min-w-0 flex-1 rounded-md border border-line-strong bg-surface px-2.5 font-mono text-xs text-ink"
        />
        <Button type="submit" variant="accent" className="h-8!" disabled={token.trim() === ""}>
          Continue
        </Button>
      </form>
      {client.hasToken() && (
        <p role="alert" className="mt-2 text-failed">
          The token was refused: it is wrong, has expired, or may not see any pipeline.
        </p>
      )}
      <p className="mt-2 text-xs text-faint">It is remembered until this tab is closed.</p>
    </Empty>
  );
}
