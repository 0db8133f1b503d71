/**
 * C0 and C1 controls, DEL, bidirectional marks, overrides and isolates, line separators, lone surrogates: in
 * names and texts from outside they could hide, reorder or forge what is read. The command line shows the same.
 */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Writes such characters out: an override as `\u202e`, an escape as `\x1b`, a newline as `\n`. */
export function visible(text: string): string {
  return text.replace(UNSAFE, written);
}

/** The same of a text of several lines: newlines and tabs remain. */
export function visibleLines(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character === "\n" || character === "\t" ? character : written(character),
  );
}

function written(character: string): string {
  const code = character.charCodeAt(0);
  const hex = (digits: number) => code.toString(16).padStart(digits, "0");
  return SHORT[character] ?? (code < 256 ? `\\x${hex(2)}` : `\\u${hex(4)}`);
}
