/** The surface of what floats above the page: popovers and dialogs. */
export const floatingClass =
  "rounded-lg border border-line-strong bg-surface text-ink shadow-float outline-none";
