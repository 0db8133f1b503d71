import { visible } from "./visible";

/** A message in which `commands` are in backticks. */
export function Prose({ text }: { text: string }) {
  return visible(text)
    .split("`")
    .map((part, index) =>
      index % 2 === 1 ? (
        <code key={index} className="font-mono text-[0.92em]">
          {part}
        </code>
      ) : (
        part
      ),
    );
}
