"use client";
import { LockKeyhole } from "lucide-react";
import { useState, type SyntheticEvent, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/notice";
import { Prose } from "@/components/ui/prose";
import { useConnection } from "@/react/hooks";
import { useClient } from "@/react/provider";

/** Asks for a token instead of showing the page while the viewer has no rights, or no longer. */
export function SignInWall({ children }: { children: ReactNode }) {
  const { state } = useConnection();
  return state === "signed_out" ? <SignIn /> : children;
}

function Command({ children }: { children: string }) {
  return <code className="font-mono text-xs text-ink">{children}</code>;
}

function SignIn() {
  const client = useClient();
  const { reason } = useConnection();
  const [token, setToken] = useState("");
  const isExplained = client.hasToken() || reason.code !== "unauthorized";
  const refusal = client.refusedSecret ?? (isExplained ? reason.message : null);
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (token.trim()) client.signIn(token.trim());
  };
  return (
    <Empty icon={LockKeyhole} title="Sign in" className="py-24">
      {refusal && (
        <p role="alert" data-testid="why-signed-out" className="mb-3 text-failed">
          <Prose text={refusal} />
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
      <p className="mt-2 text-xs text-faint">It is remembered until this tab is closed.</p>
    </Empty>
  );
}
