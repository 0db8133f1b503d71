"use client";
import { useEffect, type ReactNode } from "react";
import { startClient } from "@/realtime/client";

/** Runs the page's one connection. */
export function Started({ children }: { children: ReactNode }) {
  useEffect(startClient, []);
  return children;
}
