"use client";
import { ChevronsUpDown, LayoutGrid } from "lucide-react";
import { Link } from "@/components/ui/link";
import { usePathname, useSearchParams } from "next/navigation";
import { useState } from "react";
import { HealthLabel, useHealth } from "@/components/live/health";
import { buttonClass } from "@/components/ui/button";
import { SourceIcon } from "@/components/ui/file-icon";
import { BASE_PATH, OVERVIEW_HREF, pipelineHref, pipelineIn } from "@/components/ui/links";
import { Popover } from "@/components/ui/popover";
import { usePipeline, usePipelineIds } from "@/react/hooks";
import type { PipelineState } from "@/client/pipeline-state";

const itemClass =
  "flex h-9 items-center gap-2 rounded-md px-2 hover:bg-hover focus-visible:bg-hover aria-[current=page]:bg-subtle aria-[current=page]:font-medium";

export function PipelineSwitch() {
  const [open, setOpen] = useState(false);
  const ids = usePipelineIds();
  const pathname = usePathname();
  const query = useSearchParams();
  const current = currentIn(pathname, query);
  const close = () => setOpen(false);
  return (
    <Popover
      label="Pipelines"
      align="start"
      open={open}
      onOpenChange={setOpen}
      className="w-80 p-1"
      trigger={(props) => (
        <button
          {...props}
          type="button"
          className={buttonClass("plain", "min-w-0 px-2! text-ink!")}
          aria-label="Choose a pipeline"
        >
          <span className="max-w-[34vw] truncate sm:max-w-64">{current ?? "All pipelines"}</span>
          <ChevronsUpDown size={13} aria-hidden className="shrink-0 text-faint" />
        </button>
      )}
    >
      <nav aria-label="Pipelines">
        <Link
          href={OVERVIEW_HREF}
          onClick={close}
          className={itemClass}
          aria-current={current === null ? "page" : undefined}
        >
          <LayoutGrid size={15} strokeWidth={1.75} aria-hidden className="text-muted" />
          All pipelines
        </Link>
        {ids.map((id) => (
          <SwitchItem key={id} id={id} current={id === current} onChoose={close} />
        ))}
      </nav>
    </Popover>
  );
}

/** On a file's page `id` is the file's. */
function currentIn(pathname: string, query: URLSearchParams): string | null {
  if (pathname.startsWith(`${BASE_PATH}/file`)) return query.get("pipeline");
  return pathname === OVERVIEW_HREF ? null : pipelineIn(query) || null;
}

function SwitchItem({ id, current, onChoose }: { id: string; current: boolean; onChoose: () => void }) {
  const state = usePipeline(id);
  if (!state) return null;
  return (
    <Link
      href={pipelineHref(id)}
      onClick={onChoose}
      className={itemClass}
      aria-current={current ? "page" : undefined}
    >
      <SourceIcon type={state.type} />
      <span className="min-w-0 flex-1 truncate">{id}</span>
      <SwitchHealth state={state} />
    </Link>
  );
}

function SwitchHealth({ state }: { state: PipelineState }) {
  return <HealthLabel health={useHealth(state)} className="text-xs font-normal!" />;
}
