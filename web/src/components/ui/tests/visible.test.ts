import { expect, test } from "vitest";
import { visible, visibleLines } from "../visible";

test.each([
  ["invoice\u202Efdp.exe", "invoice\\u202efdp.exe"],
  ["\u001b[31mred", "\\x1b[31mred"],
  ["a\nb\tc\r", "a\\nb\\tc\\r"],
  ["\u0085\u009b1m\u007f", "\\x85\\x9b1m\\x7f"],
  ["\u2066left\u2069\u2028", "\\u2066left\\u2069\\u2028"],
  ["lone \ud83d and \udc00", "lone \\ud83d and \\udc00"],
  ["naïve שלום 東京 😀 a\u200db", "naïve שלום 東京 😀 a\u200db"],
])("%j is shown as %j", (text, shown) => {
  expect(visible(text)).toBe(shown);
});

test("no text leaves a control, an override or a lone surrogate, and other text is unchanged", () => {
  const bad = /[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}]/u;
  for (let code = 0; code < 0x11000; code += 1) {
    const text = String.fromCodePoint(code);
    expect(bad.test(visible(text)), code.toString(16)).toBe(false);
    if (!bad.test(text)) expect(visible(text)).toBe(text);
  }
});

test("lines remain lines", () => {
  expect(visibleLines("one\n\ttwo\u202e\r\n")).toBe("one\n\ttwo\\u202e\\r\n");
});
