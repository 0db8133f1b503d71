import { expect, test } from "vitest";
import { Clock } from "../clock";

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
