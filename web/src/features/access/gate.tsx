"use client";
import { LockKeyhole } from "lucide-react";
import { useState, type SyntheticEvent, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/notice";
import { hasToken, signIn } from "@/realtime/client";
import { useConnection, usePipelineIds } from "@/realtime/hooks";

/** Stands before the pages while nobody has said who they are. */
export function Gate({ children }: { children: ReactNode }) {
  const { reason } = useConnection();
  const nothingKnown = usePipelineIds().length === 0;
  return reason.code === "unauthorized" && nothingKnown ? <SignIn /> : children;
}

function SignIn() {
  const [token, setToken] = useState("");
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (token.trim()) signIn(token.trim());
  };
  return (
    <Empty icon={LockKeyhole} title="You have no access yet" className="py-24">
      <p>
        Paste a token. Whoever runs this installation makes one with{" "}
        <code className="font-mono text-xs text-ink">raglive token --role viewer</code>.
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
      {hasToken() && (
        <p role="alert" className="mt-2 text-failed">
          The token was refused: it is wrong, has ended, or may not see any pipeline.
        </p>
      )}
      <p className="mt-2 text-xs text-faint">It is kept until this tab is closed.</p>
    </Empty>
  );
}
