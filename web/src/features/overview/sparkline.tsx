import { plural } from "@/components/ui/format";
import type { Minute } from "./estimate";

const WIDTH = 180;
const HEIGHT = 32;
const GAP = 1;

/** One thin column a minute: completed, and failed on top. */
export function Sparkline({ minutes }: { minutes: Minute[] }) {
  const highest = Math.max(1, ...minutes.map(({ completed, failed }) => completed + failed));
  const done = minutes.reduce((sum, { completed }) => sum + completed, 0);
  const column = WIDTH / minutes.length;
  const height = (value: number) => (value === 0 ? 0 : Math.max(1.5, (value / highest) * (HEIGHT - 2)));
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${plural(done, "file")} completed in the last 30 minutes, by minute`}
      className="h-8 w-[46%] max-w-[520px] min-w-36 shrink-0"
    >
      {minutes.map(({ start, completed, failed }, index) => {
        const good = height(completed);
        const bad = height(failed);
        const x = index * column;
        return (
          <g key={start}>
            <rect x={x} y={HEIGHT - 1} width={column - GAP} height={1} className="fill-line-strong" />
            <rect
              x={x}
              y={HEIGHT - good}
              width={column - GAP}
              height={good}
              rx={0.5}
              className="fill-completed-fill"
            />
            <rect
              x={x}
              y={HEIGHT - good - bad}
              width={column - GAP}
              height={bad}
              className="fill-failed-fill"
            />
          </g>
        );
      })}
    </svg>
  );
}
