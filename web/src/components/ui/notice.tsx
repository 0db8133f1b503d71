import { AlertTriangle, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./classes";

interface EmptyProps {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  className?: string;
}

/** Says why there is nothing to show, and what to do. */
export function Empty({ icon: Icon, title, children, action, className }: EmptyProps) {
  return (
    <div className={classes("flex flex-col items-center px-6 py-12 text-center", className)}>
      <Icon size={20} strokeWidth={1.5} className="mb-3 text-faint" aria-hidden />
      <p className="text-base font-medium">{title}</p>
      {children && <div className="mt-1 max-w-[52ch] text-muted text-pretty">{children}</div>}
      {action && <div className="mt-4">{action}</div>}
    </div>
  );
}

interface BannerProps {
  tone: "failed" | "waiting";
  title: ReactNode;
  icon?: LucideIcon;
  children?: ReactNode;
  action?: ReactNode;
}

/** A problem that needs attention: what, why, what to do. */
export function Banner({ tone, title, icon: Icon = AlertTriangle, children, action }: BannerProps) {
  return (
    <div
      role="status"
      className={classes(
        "flex flex-wrap items-start gap-x-3 gap-y-2 rounded-lg px-3.5 py-2.5",
        tone === "failed" ? "bg-failed-soft" : "bg-waiting-soft",
      )}
    >
      <Icon
        size={15}
        aria-hidden
        className={classes("mt-[3px] shrink-0", tone === "failed" ? "text-failed" : "text-waiting")}
      />
      <div className="min-w-0 flex-1 basis-60">
        <p className={classes("font-medium", tone === "failed" ? "text-failed" : "text-waiting")}>{title}</p>
        {children && <div className="text-ink/85 [overflow-wrap:anywhere]">{children}</div>}
      </div>
      {action}
    </div>
  );
}
