/**
 * A ban as bytes on the disk.
 *
 *   1 version ‖ 8 since ‖ 8 until ‖ 1 length, target ‖ 2 length, reason ‖ 8 checksum
 *
 * Times are milliseconds since the Unix epoch; numbers are unsigned and big-endian; the target is canonical ASCII, the
 * reason UTF-8. The checksum is BLAKE2b-64 over all bytes before it.
 *
 * Why a checksum of our own: a ban that holds for somebody else because a bit has turned is worse than one that is gone and
 * named in the log, and LevelDB's checksums cannot be asked for through its library.
 */
import { parseTarget, TARGET_MAX_CHARS } from './ban-target.ts'
import { isReason, REASON_MAX_CHARS } from './bans.ts'
import { blake2b64 } from './book-placement.ts'
import type { BanInfo } from './view.ts'

const VERSION = 1
const HEAD_BYTES = 17
const CHECKSUM_BYTES = 8

/** A character takes at most three bytes of UTF-8 for each of its code units. */
const RECORD_MAX_BYTES = HEAD_BYTES + 1 + TARGET_MAX_CHARS + 2 + 3 * REASON_MAX_CHARS + CHECKSUM_BYTES

/** The last moment that a `Date` can hold. */
const TIME_MAX_MS = 8.64e15

/** @param ban as `Bans` made it */
export function encodeBan({ target, reason, sinceMs, untilMs }: BanInfo): Uint8Array {
  const head = new DataView(new ArrayBuffer(HEAD_BYTES))
  head.setUint8(0, VERSION)
  head.setBigUint64(1, BigInt(sinceMs))
  head.setBigUint64(9, BigInt(untilMs))
  const targetBytes = Buffer.from(target)
  const reasonBytes = Buffer.from(reason)
  const body = Buffer.concat([
    new Uint8Array(head.buffer),
    Uint8Array.of(targetBytes.length),
    targetBytes,
    Uint8Array.of(reasonBytes.length >> 8, reasonBytes.length & 0xff),
    reasonBytes,
  ])
  return Buffer.concat([body, blake2b64(body)])
}

/** Undefined for anything that `encodeBan` did not write. */
export function decodeBan(bytes: Uint8Array): BanInfo | undefined {
  if (bytes.length > RECORD_MAX_BYTES || bytes.length < HEAD_BYTES + 3 + CHECKSUM_BYTES) return undefined
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const body = record.subarray(0, -CHECKSUM_BYTES)
  if (!record.subarray(-CHECKSUM_BYTES).equals(blake2b64(body)) || body[0] !== VERSION) return undefined
  const sinceMs = Number(body.readBigUInt64BE(1))
  const untilMs = Number(body.readBigUInt64BE(9))
  const reasonAt = HEAD_BYTES + 1 + body.readUInt8(HEAD_BYTES)
  if (sinceMs >= untilMs || untilMs > TIME_MAX_MS || reasonAt + 2 > body.length) return undefined
  if (reasonAt + 2 + body.readUInt16BE(reasonAt) !== body.length) return undefined
  const target = parseTarget(body.toString('latin1', HEAD_BYTES + 1, reasonAt))
  const reason = body.toString('utf8', reasonAt + 2)
  if (target === undefined || !isReason(reason)) return undefined
  const ban = { target: target.text, kind: target.kind, sinceMs, untilMs, reason }
  // Another spelling of the target, or a reason that is no UTF-8, does not come out as it went in.
  return record.equals(encodeBan(ban)) ? ban : undefined
}
