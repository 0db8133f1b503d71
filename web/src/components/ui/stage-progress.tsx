import type { Stage } from "@/contract/types";
import { classes } from "./classes";

export const STAGE_WORDS: Record<Stage, string> = {
  extraction: "Extracting",
  chunking: "Chunking",
  embedding: "Embedding",
  storing: "Storing",
};

interface StageProgressProps {
  stage: Stage;
  progress: number;
  label: string;
  /** The attempt is stuck, or its worker is lost. */
  held?: boolean;
  className?: string;
}

/** A smooth progress bar: only its transform is animated, which needs no layout. */
export function StageProgress({ stage, progress, label, held = false, className }: StageProgressProps) {
  const done = Math.min(1, Math.max(0, progress));
  return (
    <span
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(done * 100)}
      aria-valuetext={`${STAGE_WORDS[stage]}, ${Math.round(done * 100)} %`}
      className={classes(
        "relative block h-1 overflow-hidden rounded-full",
        held ? "bg-waiting-fill/25" : "bg-processing-fill/20",
        className,
      )}
    >
      <span
        className={classes(
          "absolute inset-0 origin-left rounded-full transition-transform duration-300 ease-linear",
          held ? "bg-waiting-fill" : "bg-processing-fill",
        )}
        style={{ transform: `scaleX(${done})` }}
      />
    </span>
  );
}
