import type { Metadata } from "next";
import { FilePage } from "@/features/file/file-page";

export const metadata: Metadata = { title: "File" };

export default function Page() {
  return <FilePage />;
}
