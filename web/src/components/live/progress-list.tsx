"use client";
import { useEffect, useRef, useState } from "react";
import { count, plural } from "@/components/ui/format";
import { Section } from "@/components/ui/section";
import { ProgressRow } from "./progress-row";

export interface Running {
  pipelineId: string;
  fileId: string;
}

const APPEAR_AFTER_MS = 300;
const SHRINK_AFTER_MS = 2_000;
const ROW_PX = 40;

interface ProgressListProps {
  running: readonly Running[];
  limit: number;
  showPipeline?: boolean;
}

/**
 * Files in progress. A file that finishes within 0.3 s is not shown, and the list shrinks with a delay,
 * so that nothing flashes or jumps.
 */
export function ProgressList({ running, limit, showPipeline = false }: ProgressListProps) {
  const shown = useLasting(running).slice(0, limit);
  const height = useSlowlyShrinking(shown.length) * ROW_PX;
  const more = running.length - limit;
  return (
    <Section title="In progress" count={running.length > 0 ? count(running.length) : null}>
      <div className="sm:min-h-(--height)" style={{ "--height": `${Math.max(ROW_PX, height)}px` } as object}>
        {shown.length === 0 && (
          <p className="flex h-10 items-center text-faint">
            {running.length > 0 ? "Each file takes only a moment." : "No file is in progress."}
          </p>
        )}
        <ul>
          {shown.map(({ pipelineId, fileId }) => (
            <ProgressRow
              key={`${pipelineId}/${fileId}`}
              pipelineId={pipelineId}
              fileId={fileId}
              showPipeline={showPipeline}
            />
          ))}
        </ul>
        {more > 0 && <p className="py-2 text-faint">and {plural(more, "more file")}</p>}
      </div>
    </Section>
  );
}

/** The files that have been in progress for 0.3 s. */
function useLasting(running: readonly Running[]): Running[] {
  const firstSeen = useRef(new Map<string, number>());
  const [lasting, setLasting] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const now = Date.now();
    const seen = new Map(running.map((each) => [keyOf(each), firstSeen.current.get(keyOf(each)) ?? now]));
    firstSeen.current = seen;
    const update = () =>
      setLasting(
        new Set([...seen].filter(([, at]) => Date.now() - at >= APPEAR_AFTER_MS).map(([key]) => key)),
      );
    update();
    const timer = setTimeout(update, APPEAR_AFTER_MS + 10);
    return () => clearTimeout(timer);
  }, [running]);
  return running.filter((each) => lasting.has(keyOf(each)));
}

function keyOf({ pipelineId, fileId }: Running): string {
  return `${pipelineId}/${fileId}`;
}

function useSlowlyShrinking(value: number): number {
  const [held, setHeld] = useState(value);
  if (value > held) setHeld(value);
  useEffect(() => {
    if (value >= held) return;
    const timer = setTimeout(() => setHeld(value), SHRINK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [value, held]);
  return held;
}
