"use client";
import { Popover as RadixPopover, Switch as RadixSwitch, Tooltip as RadixTooltip } from "radix-ui";
import type { ReactNode } from "react";
import { classes } from "./classes";

export const floatingClass =
  "z-50 rounded-lg border border-line-strong bg-surface text-ink shadow-float outline-none";

export function Tip({ label, children }: { label: ReactNode; children: ReactNode }) {
  return (
    <RadixTooltip.Root>
      <RadixTooltip.Trigger asChild>{children}</RadixTooltip.Trigger>
      <RadixTooltip.Portal>
        <RadixTooltip.Content
          sideOffset={6}
          collisionPadding={8}
          className="z-50 max-w-72 rounded-md bg-ink px-2 py-1 text-xs text-surface shadow-float"
        >
          {label}
        </RadixTooltip.Content>
      </RadixTooltip.Portal>
    </RadixTooltip.Root>
  );
}

export function TipProvider({ children }: { children: ReactNode }) {
  return <RadixTooltip.Provider delayDuration={300}>{children}</RadixTooltip.Provider>;
}

interface FloatProps {
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
  className?: string;
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
}

export function Float({ trigger, children, align = "end", className, open, onOpenChange }: FloatProps) {
  return (
    <RadixPopover.Root open={open} onOpenChange={onOpenChange}>
      <RadixPopover.Trigger asChild>{trigger}</RadixPopover.Trigger>
      <RadixPopover.Portal>
        <RadixPopover.Content
          align={align}
          sideOffset={6}
          collisionPadding={8}
          className={classes(floatingClass, className)}
        >
          {children}
        </RadixPopover.Content>
      </RadixPopover.Portal>
    </RadixPopover.Root>
  );
}

interface ToggleProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  label: string;
}

export function Toggle({ checked, onChange, label }: ToggleProps) {
  return (
    <RadixSwitch.Root
      checked={checked}
      onCheckedChange={onChange}
      aria-label={label}
      className="h-[18px] w-8 shrink-0 rounded-full bg-line-strong p-[2px] transition-colors data-[state=checked]:bg-accent"
    >
      <RadixSwitch.Thumb className="block size-[14px] rounded-full bg-white shadow-sm transition-transform duration-150 data-[state=checked]:translate-x-[14px]" />
    </RadixSwitch.Root>
  );
}
