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

/**
 * The time in ms since 1970, by the servers: the page compares their times with now, but its machine's
 * clock may be wrong. Each answer says its time, which lies between the request and the answer; the
 * difference to the machine's clock is the smallest that fits the latest answer.
 */
export class ServerTime {
  private aheadMs = 0;

  constructor(private readonly wall: () => number = () => Date.now()) {}

  now(): number {
    return this.wall() + this.aheadMs;
  }

  /** A request of `tookMs` was answered just now, at a time between `earliest` and `latest`. */
  heard(earliest: number, latest: number, tookMs: number): void {
    const wall = this.wall();
    this.aheadMs = Math.min(Math.max(this.aheadMs, earliest - wall), latest - (wall - tookMs));
  }
}

/** The servers' time, as far as this page knows it. */
export const serverTime = new ServerTime();
