// Turns ../contract/schema/*.json into src/contract/types.ts; with --check, fails when they differ.
import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { compile } from "json-schema-to-typescript";
import * as prettier from "prettier";

const root = path.resolve(import.meta.dirname, "..");
const schemaFolder = process.env.RAGLIVE_SCHEMA_DIR ?? path.join(root, "../contract/schema");
const target = path.join(root, "src/contract/types.ts");

const current = await readFile(target, "utf8").catch(() => "");
const generated = await generate();
if (process.argv.includes("--check")) {
  if (current !== generated) {
    console.error("src/contract/types.ts is not what ../contract/schema says. Run: npm run generate");
    process.exitCode = 1;
  }
} else {
  await writeFile(target, generated);
}

async function generate() {
  const definitions = await collectDefinitions();
  const source = await compile(
    { title: "Contract", type: "object", additionalProperties: false, $defs: definitions },
    "Contract",
    {
      bannerComment: "// Generated from contract/schema by `npm run generate`. Do not edit.",
      unreachableDefinitions: true,
      additionalProperties: false,
      ignoreMinAndMaxItems: true,
      format: false,
    },
  );
  const options = await prettier.resolveConfig(target);
  return prettier.format(withoutRoot(source), { ...options, filepath: target });
}

async function collectDefinitions() {
  const names = (await readdir(schemaFolder)).filter((name) => name.endsWith(".json")).sort();
  const definitions = {};
  for (const name of names) {
    const schema = JSON.parse(await readFile(path.join(schemaFolder, name), "utf8"));
    const { $defs = {}, $schema: _schema, $id: _id, ...own } = schema;
    for (const [key, definition] of Object.entries($defs)) add(definitions, key, definition);
    const title = own.title ?? path.basename(name, ".json");
    if (
      own.$ref !== `#/$defs/${title}` &&
      Object.keys(own).some((key) => key !== "title" && key !== "description")
    )
      add(definitions, title, own);
  }
  return definitions;
}

function add(definitions, name, definition) {
  const plain = withoutFieldTitles(definition, true);
  if (name in definitions && !isDeepStrictEqual(definitions[name], plain)) {
    throw new Error(`Two schemas define ${name} differently.`);
  }
  definitions[name] = plain;
}

// Pydantic titles each field, which the compiler would make a type alias of, and calls a constant
// with a default optional, though it is always sent.
function withoutFieldTitles(node, isRoot = false) {
  if (Array.isArray(node)) return node.map((item) => withoutFieldTitles(item));
  if (node === null || typeof node !== "object") return node;
  const plain = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === "title" && typeof value === "string" && !isRoot) continue;
    plain[key] =
      key === "properties" || key === "$defs"
        ? mapValues(value, withoutFieldTitles)
        : withoutFieldTitles(value);
  }
  const constants = Object.keys(plain.properties ?? {}).filter((name) => "const" in plain.properties[name]);
  if (constants.length > 0) plain.required = [...new Set([...(plain.required ?? []), ...constants])];
  return plain;
}

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

function withoutRoot(source) {
  return source
    .replace(/export interface Contract \{\s*\}\n/, "")
    .replace(
      /(\n \*)?\n \* This interface was referenced by `Contract`'s JSON-Schema\n \* via the `definition` "[^"]*"\./g,
      "",
    )
    .replace(/\/\*\*\n \*\/\n/g, "")
    .replace(/\n \*\s*\n \*\//g, "\n */");
}
