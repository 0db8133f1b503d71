"use client";
import { useEffect, useId, useRef, type ReactNode, type RefObject, type ToggleEvent } from "react";
import { classes } from "./classes";
import { floatingClass } from "./floating";

const GAP_PX = 6;
const MARGIN_PX = 8;

/** For the button that opens and closes a popover. */
export interface TriggerProps {
  ref: RefObject<HTMLButtonElement | null>;
  popoverTarget: string;
  "aria-haspopup": "dialog";
  "aria-expanded": boolean;
}

interface PopoverProps {
  label: string;
  trigger: (props: TriggerProps) => ReactNode;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  align?: "start" | "end";
  className?: string;
  children: ReactNode;
}

/**
 * A native popover under its button. The browser closes it on Escape and on a click elsewhere, and
 * returns the focus to the button. Its content exists only while it is open.
 */
export function Popover({
  label,
  trigger,
  open,
  onOpenChange,
  align = "end",
  className,
  children,
}: PopoverProps) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const changing = useRef(false);
  useEffect(() => {
    if (!changing.current) panel.current?.togglePopover(open);
  }, [open]);
  const beforeToggle = ({ newState }: ToggleEvent) => {
    changing.current = true;
    if (newState !== "open") return;
    if (button.current && panel.current) place(panel.current, button.current, align);
    onOpenChange(true);
  };
  // Not before it is closed: the browser returns the focus only from content that is still there.
  const afterToggle = ({ newState }: ToggleEvent) => {
    changing.current = false;
    if (newState === "open") (firstControl(panel.current) ?? panel.current)?.focus();
    else onOpenChange(false);
  };
  return (
    <>
      {trigger({ ref: button, popoverTarget: id, "aria-haspopup": "dialog", "aria-expanded": open })}
      <div
        ref={panel}
        id={id}
        popover="auto"
        role="dialog"
        aria-label={label}
        tabIndex={-1}
        onBeforeToggle={beforeToggle}
        onToggle={afterToggle}
        className={classes(floatingClass, "inset-auto overflow-y-auto", className)}
      >
        {open && children}
      </div>
    </>
  );
}

/** Needs no size of the panel, which is not laid out yet; percentages do not include a scrollbar. */
function place({ style }: HTMLElement, button: HTMLElement, align: "start" | "end"): void {
  const { left, right, bottom } = button.getBoundingClientRect();
  const top = bottom + GAP_PX;
  style.top = `${top}px`;
  style.maxHeight = `calc(100dvh - ${top + MARGIN_PX}px)`;
  if (align === "start") {
    style.left = `${left}px`;
    style.maxWidth = `calc(100% - ${left + MARGIN_PX}px)`;
  } else {
    style.right = `calc(100% - ${right}px)`;
    style.maxWidth = `${right - MARGIN_PX}px`;
  }
}

function firstControl(panel: HTMLElement | null): HTMLElement | null {
  return panel?.querySelector<HTMLElement>("a[href], button:not(:disabled), input") ?? null;
}
