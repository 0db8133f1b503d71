"use client";
import { Monitor, Moon, Sun } from "lucide-react";
import { useSyncExternalStore } from "react";
import { Button } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/tooltip";

export type Theme = "system" | "light" | "dark";

const KEY = "raglive.theme";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const LOOKS = { system: Monitor, light: Sun, dark: Moon };
const WORDS: Record<Theme, string> = { system: "as the system", light: "light", dark: "dark" };
const listeners = new Set<() => void>();

/** Runs before the first paint, so that the other theme does not flash. */
export const THEME_SCRIPT = `(function(){var d=document.documentElement,m=matchMedia("(prefers-color-scheme: dark)");function a(){var t;try{t=localStorage.getItem("${KEY}")}catch(e){}d.dataset.theme=t==="light"||t==="dark"?t:m.matches?"dark":"light"}a();m.addEventListener("change",a);addEventListener("raglive-theme",a)})()`;

function read(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}

export function setTheme(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    return;
  }
  window.dispatchEvent(new Event("raglive-theme"));
  for (const listener of listeners) listener();
}

function useTheme(): Theme {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    read,
    () => "system",
  );
}

export function nextTheme(): void {
  setTheme(NEXT[read()]);
}

export function ThemeButton() {
  const theme = useTheme();
  const Icon = LOOKS[theme];
  return (
    <Tooltip label={`Theme: ${WORDS[theme]}`}>
      <Button
        variant="plain"
        className="w-7 px-0!"
        aria-label={`Theme: ${WORDS[theme]}. Change.`}
        onClick={nextTheme}
      >
        <Icon size={15} aria-hidden />
      </Button>
    </Tooltip>
  );
}
