"use client";
import {
  cloneElement,
  useEffect,
  useId,
  useRef,
  useState,
  type FocusEvent,
  type PointerEvent,
  type ReactElement,
} from "react";

const DELAY_MS = 300;
const MARGIN_PX = 8;

interface TooltipProps {
  label: string;
  /** A button or link; the tooltip describes it. */
  children: ReactElement<{ "aria-describedby"?: string }>;
}

/** A description on hover and on keyboard focus. Escape hides it; the pointer may move onto it. */
export function Tooltip({ label, children }: TooltipProps) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const anchor = useRef<HTMLSpanElement>(null);
  const bubble = useRef<HTMLSpanElement>(null);
  const delay = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    if (!open || !anchor.current || !bubble.current) return;
    const shown = bubble.current;
    shown.showPopover();
    place(shown, anchor.current);
    const onKey = ({ key }: KeyboardEvent) => key === "Escape" && setOpen(false);
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("keydown", onKey);
      shown.hidePopover();
    };
  }, [open, label]);
  useEffect(() => () => clearTimeout(delay.current), []);
  const enter = ({ pointerType }: PointerEvent) => {
    if (pointerType === "mouse") delay.current = setTimeout(() => setOpen(true), DELAY_MS);
  };
  const hide = () => {
    clearTimeout(delay.current);
    setOpen(false);
  };
  return (
    <span
      ref={anchor}
      className="inline-flex"
      onPointerEnter={enter}
      onPointerLeave={hide}
      onPointerDown={hide}
      onFocus={({ target }: FocusEvent) => target.matches(":focus-visible") && setOpen(true)}
      onBlur={hide}
    >
      {cloneElement(children, { "aria-describedby": id })}
      <span
        ref={bubble}
        id={id}
        popover="manual"
        role="tooltip"
        className="inset-auto overflow-visible bg-transparent py-1.5"
      >
        <span className="block max-w-72 rounded-md bg-ink px-2 py-1 text-xs text-surface shadow-float [overflow-wrap:anywhere]">
          {label}
        </span>
      </span>
    </span>
  );
}

/** Under the anchor, or above it where there is no room. */
function place(bubble: HTMLElement, anchor: HTMLElement): void {
  const { left, width, top, bottom } = anchor.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const { offsetWidth, offsetHeight } = bubble;
  const centred = left + (width - offsetWidth) / 2;
  const latest = clientWidth - offsetWidth - MARGIN_PX;
  bubble.style.left = `${Math.max(MARGIN_PX, Math.min(centred, latest))}px`;
  bubble.style.top = `${bottom + offsetHeight <= clientHeight ? bottom : top - offsetHeight}px`;
}
