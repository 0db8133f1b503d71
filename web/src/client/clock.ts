/**
 * A clock in ms that never goes back, and that also moves while the machine sleeps. The browser's
 * monotonic clock stands still during sleep; the wall clock, which may be set at any time, then moves on.
 */
export class Clock {
  private slept = 0;
  private lastMonotonic: number;
  private lastWall: number;

  constructor(
    private readonly monotonic: () => number = () => performance.now(),
    private readonly wall: () => number = Date.now,
  ) {
    this.lastMonotonic = monotonic();
    this.lastWall = wall();
  }

  now(): number {
    const [monotonic, wall] = [this.monotonic(), this.wall()];
    const ahead = wall - this.lastWall - (monotonic - this.lastMonotonic);
    if (ahead > SHORTEST_SLEEP_MS) this.slept += ahead;
    this.lastMonotonic = monotonic;
    this.lastWall = wall;
    return monotonic + this.slept;
  }
}

const SHORTEST_SLEEP_MS = 500;

/** The page's clock. */
export const clock = new Clock();
