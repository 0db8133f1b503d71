import { describe, expect, test } from "vitest";
import vectors from "../../../../contract/fixtures/cursor.json";
import {
  BEGINNING,
  comparePositions,
  composeCursor,
  formatPosition,
  NOW,
  parseCursor,
  parsePosition,
} from "../cursor";

describe("cursor, against the vectors of the contract", () => {
  test.each(vectors.valid)("reads $text", ({ text, canonical, positions }) => {
    const parsed = parseCursor(text);
    expect(Object.fromEntries((parsed ?? []).map(({ epoch, seq }) => [epoch, seq]))).toEqual(positions);
    if (text !== BEGINNING && text !== NOW) expect(composeCursor(parsed ?? [])).toBe(canonical);
  });

  test.each(vectors.invalid)("refuses %j", (text) => {
    expect(parseCursor(text)).toBeNull();
  });

  test.each(vectors.positions)("writes $text", ({ epoch, seq, text }) => {
    expect(formatPosition({ epoch, seq })).toBe(text);
    expect(parsePosition(text)).toEqual({ epoch, seq });
  });

  test("compares places of one log only", () => {
    expect(comparePositions({ epoch: "a", seq: 9 }, { epoch: "a", seq: 10 })).toBeLessThan(0);
    expect(comparePositions({ epoch: "a", seq: 9 }, { epoch: "b", seq: 10 })).toBeNull();
    expect(composeCursor([])).toBeNull();
  });
});
