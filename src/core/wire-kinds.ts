/**
 * How one value looks on the wire: numbers, yes or no, text, bytes, each with its limits. Fields are made of these in
 * `wire.ts`.
 */
import assert from 'node:assert/strict'
import { DELIMITED, VARINT, varintBytes, type WireReader, type WireWriter } from './wire-bytes.ts'

/** A kind of value, without the number of its field. */
export interface Kind<T> {
  readonly wireType: typeof VARINT | typeof DELIMITED
  /** What a value takes at most, its length included. */
  readonly maxBytes: number
  /** What a missing field means; undefined where the limits exclude that. */
  readonly missing: T | undefined
  /** The value is what a missing field means, by the specification. */
  isDefault(value: T): boolean
  /** Checks the limits before anything is made; fails in the reader. */
  read(reader: WireReader): T
  /** Which limit a value of ours breaks. */
  problemOf(value: T): string | undefined
  sizeOf(value: T): number
  write(writer: WireWriter, value: T): void
}

export interface SizeLimits {
  readonly minBytes?: number
  readonly maxBytes: number
}

export interface NumberLimits {
  readonly min?: number
  readonly max: number
}

export function uintKind({ min = 0, max }: NumberLimits): Kind<number> {
  assert.ok(Number.isSafeInteger(min) && Number.isSafeInteger(max) && min >= 0 && min <= max)
  const problemOf = (value: number): string | undefined =>
    Number.isSafeInteger(value) && value >= min && value <= max
      ? undefined
      : `${value} is not from ${min} to ${max}`
  return {
    wireType: VARINT,
    maxBytes: varintBytes(max),
    missing: min === 0 ? 0 : undefined,
    isDefault: value => value === 0,
    read(reader) {
      const value = reader.varint()
      const problem = problemOf(value)
      if (problem !== undefined) reader.fail(problem)
      return value
    },
    problemOf,
    sizeOf: varintBytes,
    write: (writer, value) => writer.varint(value),
  }
}

export const BOOL_KIND: Kind<boolean> = {
  wireType: VARINT,
  maxBytes: 1,
  missing: false,
  isDefault: value => !value,
  read: reader => reader.varint() !== 0,
  problemOf: () => undefined,
  sizeOf: () => 1,
  write: (writer, value) => writer.varint(value ? 1 : 0),
}

export function textKind(limits: SizeLimits): Kind<string> {
  return {
    ...sized(limits, ''),
    isDefault: value => value === '',
    read: reader => reader.text(reader.length(limits.minBytes ?? 0, limits.maxBytes)),
    // Half a surrogate pair has no bytes in UTF-8: it would arrive as another text.
    problemOf: value =>
      value.isWellFormed() ? sizeProblem(Buffer.byteLength(value), limits) : 'is not Unicode',
    sizeOf: value => delimited(Buffer.byteLength(value)),
    write: (writer, value) => writer.text(value, Buffer.byteLength(value)),
  }
}

export function bytesKind(limits: SizeLimits): Kind<Uint8Array> {
  return {
    ...sized(limits, new Uint8Array(0)),
    isDefault: value => value.byteLength === 0,
    read: reader => reader.view(reader.length(limits.minBytes ?? 0, limits.maxBytes)),
    problemOf: value => sizeProblem(value.byteLength, limits),
    sizeOf: value => delimited(value.byteLength),
    write: (writer, value) => writer.view(value),
  }
}

/** The size of so many bytes with their length before them. */
export function delimited(sizeBytes: number): number {
  return varintBytes(sizeBytes) + sizeBytes
}

function sized<T>({ minBytes = 0, maxBytes }: SizeLimits, empty: T) {
  assert.ok(Number.isSafeInteger(minBytes) && Number.isSafeInteger(maxBytes))
  assert.ok(minBytes >= 0 && minBytes <= maxBytes)
  const missing = minBytes === 0 ? empty : undefined
  return { wireType: DELIMITED, maxBytes: delimited(maxBytes), missing } as const
}

function sizeProblem(sizeBytes: number, { minBytes = 0, maxBytes }: SizeLimits): string | undefined {
  return sizeBytes >= minBytes && sizeBytes <= maxBytes
    ? undefined
    : `${sizeBytes} bytes are not ${minBytes} to ${maxBytes}`
}
