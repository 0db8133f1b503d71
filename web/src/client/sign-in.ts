/**
 * Takes the one-time secret out of `#sign-in=<secret>` before anything else runs, so that the address bar, the
 * router and the history do not keep it. It is a script of the page's head.
 */
export const SIGN_IN_SCRIPT = `(() => {
  const secret = /^#sign-in=([\\w-]+)$/.exec(location.hash)?.[1];
  if (!secret) return;
  window.__ragliveSignIn = secret;
  history.replaceState(null, "", location.pathname + location.search);
})()`;

declare global {
  interface Window {
    __ragliveSignIn?: string;
  }
}

/** The secret that the page was opened with, once; null without one. */
export function takeSignInSecret(): string | null {
  const secret = window.__ragliveSignIn ?? null;
  delete window.__ragliveSignIn;
  return secret;
}

/** Loads the page again when the viewer enters such an address in a tab that shows it already. */
export function onSignInAddress(signal: AbortSignal): void {
  const reload = () => {
    if (location.hash.startsWith("#sign-in=")) location.reload();
  };
  window.addEventListener("hashchange", reload, { signal });
}
