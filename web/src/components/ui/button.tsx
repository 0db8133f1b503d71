import type { ComponentProps } from "react";
import { classes } from "./classes";

type Variant = "plain" | "outline" | "accent";

const VARIANTS: Record<Variant, string> = {
  plain: "text-muted hover:bg-hover hover:text-ink aria-expanded:bg-hover aria-expanded:text-ink",
  outline: "border border-line-strong bg-surface text-ink hover:bg-hover",
  accent: "bg-ink text-surface hover:opacity-90",
};

/** The classes of a button, for links that look like one. */
export function buttonClass(variant: Variant = "outline", className?: string): string {
  return classes(
    "inline-flex h-7 select-none items-center justify-center gap-1.5 rounded-md px-2.5 text-sm font-medium whitespace-nowrap transition-colors duration-100 disabled:pointer-events-none disabled:opacity-50",
    VARIANTS[variant],
    className,
  );
}

export function Button({
  variant = "outline",
  className,
  ...rest
}: ComponentProps<"button"> & { variant?: Variant }) {
  return <button type="button" {...rest} className={buttonClass(variant, className)} />;
}
