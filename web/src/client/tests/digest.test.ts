import { expect, test } from "vitest";
import vectors from "../../../../contract/fixtures/digest.json";
import { EMPTY_DIGEST, rollDigest } from "../digest";

test("rolls over the contract's log to the same digests", () => {
  let digest = EMPTY_DIGEST;
  for (const { id, seq, digest: expected } of vectors.log) {
    digest = rollDigest(digest, id, seq);
    expect(digest).toBe(expected);
  }
});

test.each(vectors.steps)("rolls one step to $digest", ({ previous, id, seq, digest }) => {
  expect(rollDigest(previous, id, seq)).toBe(digest);
});
