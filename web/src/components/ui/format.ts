const integers = new Intl.NumberFormat("en-US");
const absolute = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const UNITS = ["B", "KB", "MB", "GB", "TB"];

export function count(value: number): string {
  return integers.format(value);
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return "–";
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** A duration: `850 ms`, `3.2 s`, `2 min 05 s`, `3 h 12 min`, `2 d 4 h`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600)
    return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/** A duration that is still growing, in whole seconds. */
export function elapsed(seconds: number): string {
  const whole = Math.floor(seconds);
  return whole < 60 ? `${whole} s` : duration(whole);
}

/** A rounded duration, for estimates and relative times: `40 s`, `3 min`, `5 h`, `2 d`. */
export function roughly(seconds: number): string {
  const value = Math.max(0, seconds);
  if (value < 60) return `${Math.round(value)} s`;
  if (value < 3600) return `${Math.round(value / 60)} min`;
  if (value < 86_400) return `${Math.round(value / 3600)} h`;
  return `${Math.round(value / 86_400)} d`;
}

/** A time relative to now, both in ms: `3 min ago`, `in 40 s`. */
export function relative(time: number, now: number): string {
  const seconds = (now - time) / 1000;
  if (seconds > -1.5 && seconds < 1.5) return "now";
  return seconds > 0 ? `${roughly(seconds)} ago` : `in ${roughly(-seconds)}`;
}

export function absoluteTime(time: number): string {
  return absolute.format(time);
}

export function percent(progress: number | null): string {
  return `${Math.floor((progress ?? 0) * 100)} %`;
}

/** An amount without its currency: `0.0042`, `0.25`, `12.50`. */
export function money(value: number): string {
  if (value >= 1 || value === 0) return Number.isInteger(value) ? count(value) : value.toFixed(2);
  return value < 0.01 ? value.toPrecision(2) : value.toFixed(2);
}

const KINDS: [RegExp, string][] = [
  [/pdf$/, "PDF"],
  [/wordprocessingml|msword/, "Word"],
  [/spreadsheetml|ms-excel/, "Excel"],
  [/presentationml|ms-powerpoint/, "PowerPoint"],
  [/opendocument\.text/, "ODT"],
  [/opendocument\.spreadsheet/, "ODS"],
  [/opendocument\.presentation/, "ODP"],
  [/google-apps\.document/, "Google Doc"],
  [/google-apps\.spreadsheet/, "Google Sheet"],
  [/google-apps\.presentation/, "Google Slides"],
  [/html/, "HTML"],
  [/markdown/, "Markdown"],
  [/csv/, "CSV"],
  [/json/, "JSON"],
  [/xml/, "XML"],
  [/epub/, "EPUB"],
  [/rfc822|outlook/, "Email"],
  [/rtf/, "RTF"],
  [/zip|compressed|x-tar/, "Archive"],
  [/^image\//, "Image"],
  [/^audio\//, "Audio"],
  [/^video\//, "Video"],
  [/^text\//, "Text"],
];

/** The name of a MIME type; the file's extension when the type is unknown. */
export function kind(mimeType: string | null | undefined, name: string): string {
  const known = mimeType ? KINDS.find(([pattern]) => pattern.test(mimeType))?.[1] : undefined;
  if (known) return known;
  const ending = /\.([a-z0-9]{1,6})$/i.exec(name)?.[1];
  return ending ? ending.toUpperCase() : "File";
}

/** An error code as words: `no_text` becomes `No text`. */
export function words(code: string): string {
  const text = code.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
