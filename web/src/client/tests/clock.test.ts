import { expect, test } from "vitest";
import { Clock, ServerTime } from "../clock";

test("moves with the monotonic clock, through sleep, and never back", () => {
  let [monotonic, wall] = [1_000, 9_000_000];
  const clock = new Clock(
    () => monotonic,
    () => wall,
  );
  const passed = (monotonicMs: number, wallMs: number): number => {
    const before = clock.now();
    [monotonic, wall] = [monotonic + monotonicMs, wall + wallMs];
    return clock.now() - before;
  };
  expect(passed(40, 40)).toBe(40);
  expect(passed(1_000, 1_012)).toBe(1_000);
  expect(passed(10, 3_600_000)).toBe(3_600_000);
  expect(passed(500, -3_600_000)).toBe(500);
});

test("the servers' time is as close to the machine's as the latest answer allows", () => {
  let wall = 9_000_000;
  const time = new ServerTime(() => wall);
  const answered = (earliest: number, latest: number, tookMs: number): number => {
    time.heard(wall + earliest, wall + latest, tookMs);
    return time.now() - wall;
  };
  expect(answered(-900, 100, 20), "the machine's clock fits").toBe(0);
  expect(answered(119_000, 120_000, 50), "the servers are two minutes ahead").toBe(119_000);
  expect(answered(119_500, 119_500, 50), "a more exact answer").toBe(119_500);
  expect(answered(113_000, 114_000, 6_000), "an answer that was long on its way").toBe(119_500);
  wall += 119_500; // somebody sets the clock
  expect(answered(0, 0, 10)).toBe(10);
});
