/** The rolling digest of a log: `sha256(previous || id (16 bytes) || seq (8 bytes, big-endian))`. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

export const EMPTY_DIGEST = "";

/** Returns the digest after an event; hexadecimal in and out. */
export function rollDigest(previous: string, eventId: string, seq: number): string {
  const before = hexToBytes(previous);
  const data = new Uint8Array(before.length + 24);
  data.set(before);
  data.set(hexToBytes(eventId.replaceAll("-", "")), before.length);
  new DataView(data.buffer).setBigUint64(before.length + 16, BigInt(seq));
  return bytesToHex(sha256(data));
}
