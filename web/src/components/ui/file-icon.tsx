import {
  BookOpen,
  File,
  FileCode,
  FileSpreadsheet,
  FileText,
  FolderOpen,
  HardDrive,
  Image,
  Mail,
  Package,
  Presentation,
  Workflow,
  type LucideIcon,
} from "lucide-react";
import { kind } from "./format";

const ICONS: Record<string, LucideIcon> = {
  Word: FileText,
  PDF: FileText,
  ODT: FileText,
  RTF: FileText,
  Text: FileText,
  Markdown: FileText,
  "Google Doc": FileText,
  Excel: FileSpreadsheet,
  ODS: FileSpreadsheet,
  CSV: FileSpreadsheet,
  "Google Sheet": FileSpreadsheet,
  PowerPoint: Presentation,
  ODP: Presentation,
  "Google Slides": Presentation,
  HTML: FileCode,
  JSON: FileCode,
  XML: FileCode,
  EPUB: BookOpen,
  Email: Mail,
  Image,
  Archive: Package,
};

export function FileIcon({ name, mimeType }: { name: string; mimeType: string | null }) {
  const Icon = ICONS[kind(mimeType, name)] ?? File;
  return <Icon size={14} strokeWidth={1.75} aria-hidden className="shrink-0 text-faint" />;
}

const SOURCES: Record<string, LucideIcon> = { local_files: FolderOpen, google_drive: HardDrive };

export function SourceIcon({ type, size = 15 }: { type: string; size?: number }) {
  const Icon = SOURCES[type] ?? Workflow;
  return <Icon size={size} strokeWidth={1.75} aria-hidden className="shrink-0 text-muted" />;
}
