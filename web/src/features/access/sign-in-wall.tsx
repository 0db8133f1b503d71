"use client";
import { LockKeyhole } from "lucide-react";
import { useState, type SyntheticEvent, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/notice";
import { useConnection } from "@/react/hooks";
import { useClient } from "@/react/provider";

/** Asks for a token instead of showing the page while the viewer has no rights, or no longer. */
export function SignInWall({ children }: { children: ReactNode }) {
  const { state } = useConnection();
  return state === "signed_out" ? <SignIn /> : children;
}

function SignIn() {
  const client = useClient();
  const { reason } = useConnection();
  const [token, setToken] = useState("");
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (token.trim()) client.signIn(token.trim());
  };
  return (
    <Empty icon={LockKeyhole} title="Sign in" className="py-24">
      {(client.hasToken() || reason.code !== "unauthorized") && (
        <p role="alert" data-testid="why-signed-out" className="mb-3 text-failed">
          {reason.message}
        </p>
      )}
      <p>
        Paste a token. The person who runs this installation can make one with{" "}
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
      <p className="mt-2 text-xs text-faint">It is remembered until this tab is closed.</p>
    </Empty>
  );
}
