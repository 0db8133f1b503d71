// Fails when a page of the built app loads more JavaScript than its budget: all scripts of its HTML, each
// gzipped as the dashboard server does it. `noModule` scripts do not count: no supported browser loads
// them. `--print` shows the size of every page.
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";

/** `index.html` is what people open first; the others add tables and search to it. */
const BUDGET_BYTES = { "index.html": 180_000, other: 205_000 };
const NAMED_CHUNKS = 5;

const out = path.resolve(import.meta.dirname, "../out");
const sizes = new Map();

for (const name of await pages()) {
  const scripts = scriptsOf(await readFile(path.join(out, name), "utf8"));
  const chunks = await Promise.all([...scripts].map(async (url) => ({ url, bytes: await sizeOf(url) })));
  const total = chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  if (process.argv.includes("--print")) console.log(`${kilobytes(total)}  ${name}`);
  const budget = BUDGET_BYTES[name] ?? BUDGET_BYTES.other;
  if (total > budget) fail(name, total, budget, chunks);
}

async function pages() {
  const files = await readdir(out, { recursive: true }).catch(() => []);
  const names = files.filter((name) => name.endsWith("index.html")).sort();
  if (names.length === 0) throw new Error("The app is not built. Run: npm run build");
  return names;
}

function scriptsOf(html) {
  const tags = html.match(/<script [^>]*>/g).filter((tag) => !/\bnoModule\b/i.test(tag));
  return new Set(tags.flatMap((tag) => /src="([^"]+)"/.exec(tag)?.[1] ?? []));
}

async function sizeOf(url) {
  if (!sizes.has(url)) sizes.set(url, gzipSync(await readFile(path.join(out, url)), { level: 9 }).length);
  return sizes.get(url);
}

function fail(name, total, budget, chunks) {
  const largest = [...chunks].sort((a, b) => b.bytes - a.bytes).slice(0, NAMED_CHUNKS);
  console.error(`${name} loads ${kilobytes(total)} of JavaScript; its budget is ${kilobytes(budget)}.`);
  for (const { url, bytes } of largest) console.error(`  ${kilobytes(bytes)}  ${url}`);
  process.exitCode = 1;
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
