/**
 * The wire codec: protobuf (proto3) by a schema whose limits cannot be forgotten.
 *
 *   const POINT = message({ name: text(1, { maxBytes: 32 }), weights: repeated(uint(2, { max: 100 }), { max: 8 }) })
 *   POINT.encode({ name: 'a', weights: [1, 2] })
 *   POINT.decode(frame).value?.weights
 *
 * Rules:
 * - Every text, list and number has a limit, and it is checked before anything is made from the bytes. Why not protons,
 *   as the other codecs of libp2p: its limits are options that default to none, and a frame of 1 MiB full of empty items
 *   then holds the only thread for 300 ms; and what it generates are TypeScript namespaces, which Node does not run.
 * - `decode` never throws: what a peer sends is a value or a problem. `encode` asserts the same limits, so that what
 *   this node sends can be read.
 * - Later versions may add fields: unknown ones are skipped. A known one with another wire type is a problem.
 * - A number, text or message that comes twice: the last one counts. (The specification would merge two messages; no
 *   encoder sends that.) Lists of numbers are written packed and read either way.
 * - What is written is canonical: fields in the order of their numbers, and none that has its default.
 */
import assert from 'node:assert/strict'
import { DELIMITED, VARINT, varintBytes, WireReader, WireWriter } from './wire-bytes.ts'
import {
  BOOL_KIND,
  bytesKind,
  delimited,
  type Kind,
  type NumberLimits,
  type SizeLimits,
  textKind,
  uintKind,
} from './wire-kinds.ts'

/** What bytes say, or what is wrong with them. The problem names the field, and holds no text of the sender's. */
export type Decoded<T> =
  | { readonly value: T; readonly problem?: undefined }
  /** `isExcess`: what is wrong is that a list has more items than it may. */
  | { readonly value?: undefined; readonly problem: string; readonly isExcess: boolean }

/** One field of a message. */
export interface Field<T> {
  readonly number: number
  /** What the field takes at most, its number included. */
  readonly maxBytes: number
  /** What a message starts with; undefined where it may not lack the field. */
  readonly initial: T | undefined
  accepts(wireType: number): boolean
  /** Takes in one more occurrence. `before` is what there was until then. */
  read(reader: WireReader, wireType: number, before: T | undefined): T
  /** What is still wrong with the field when the message has ended. */
  lackOf(value: T | undefined): string | undefined
  /** Which limit a value of ours breaks. */
  problemOf(value: T): string | undefined
  sizeOf(value: T): number
  write(writer: WireWriter, value: T): void
}

/** A field with one value, of which `repeated` and `optional` make others. */
export interface Single<T> extends Field<T> {
  readonly kind: Kind<T>
}

/** A message: a codec by itself, and a part of others by `nested`. */
export interface Message<T> {
  /** What its fields take at most. */
  readonly maxBytes: number
  /** How long a frame with it may be. */
  readonly frameMaxBytes: number
  readonly kind: Kind<T>
  /** A new frame. @throws AssertionError for a value beyond the limits */
  encode(value: T): Uint8Array
  /** Reads a frame. Bytes inside the value are views of it. */
  decode(frame: Uint8Array): Decoded<T>
}

/** What a message holds. */
export type Value<M> = M extends Message<infer T> ? T : never

type Schema = Readonly<Record<string, Field<unknown>>>

type ValueOf<S extends Schema> = { readonly [K in keyof S]: S[K] extends Field<infer T> ? T : never }

/** A whole number, up to 2^53 − 1. */
export const uint = (number: number, limits: NumberLimits): Single<number> => single(number, uintKind(limits))

/** Yes or no. Any number but 0 is read as yes, as the specification has it. */
export const bool = (number: number): Single<boolean> => single(number, BOOL_KIND)

/** Text in UTF-8. Control characters and the like are for the reader to judge. */
export const text = (number: number, limits: SizeLimits): Single<string> => single(number, textKind(limits))

/** Bytes; when read, a view of the frame, which stays in memory as long as they do. */
export const bytes = (number: number, limits: SizeLimits): Single<Uint8Array> =>
  single(number, bytesKind(limits))

/** A message in a message; it must be there. No message can hold itself, so the depth has a bound. */
export const nested = <T>(number: number, of: Message<T>): Single<T> => single(number, of.kind)

function single<T>(number: number, kind: Kind<T>): Single<T> {
  const tag = tagOf(number, kind.wireType)
  const tagBytes = varintBytes(tag)
  return {
    number,
    kind,
    maxBytes: tagBytes + kind.maxBytes,
    initial: kind.missing,
    accepts: wireType => wireType === kind.wireType,
    read: reader => kind.read(reader),
    lackOf: value => (value === undefined ? 'is missing' : undefined),
    problemOf: value => kind.problemOf(value),
    sizeOf: value => (kind.isDefault(value) ? 0 : tagBytes + kind.sizeOf(value)),
    write(writer, value) {
      if (kind.isDefault(value)) return
      writer.varint(tag)
      kind.write(writer, value)
    },
  }
}

/** A field that may be missing, which is something else than its default. */
export function optional<T>({ number, kind, maxBytes }: Single<T>): Field<T | undefined> {
  const tag = tagOf(number, kind.wireType)
  return {
    number,
    maxBytes,
    initial: undefined,
    accepts: wireType => wireType === kind.wireType,
    read: reader => kind.read(reader),
    lackOf: () => undefined,
    problemOf: value => (value === undefined ? undefined : kind.problemOf(value)),
    sizeOf: value => (value === undefined ? 0 : varintBytes(tag) + kind.sizeOf(value)),
    write(writer, value) {
      if (value === undefined) return
      writer.varint(tag)
      kind.write(writer, value)
    },
  }
}

/** A list of at least `min` and at most `max` items. */
export function repeated<T>(item: Single<T>, { min = 0, max }: NumberLimits): Field<readonly T[]> {
  assert.ok(min >= 0 && min <= max)
  const { number, kind } = item
  const isPacked = kind.wireType === VARINT
  const tag = tagOf(number, DELIMITED)
  const tagBytes = varintBytes(tag)
  const contentOf = (values: readonly T[]): number =>
    values.reduce((sum, value) => sum + kind.sizeOf(value), isPacked ? 0 : values.length * tagBytes)
  // The list of every message without items, so that one is made for the first item only.
  const none: readonly T[] = Object.freeze([])
  const add = (reader: WireReader, values: T[]): void => {
    if (values.length < max) {
      values.push(kind.read(reader))
    } else {
      reader.isExcess = true
      reader.fail(`more than ${max}`)
    }
  }
  return {
    number,
    maxBytes: isPacked ? tagBytes + delimited(max * kind.maxBytes) : max * (tagBytes + kind.maxBytes),
    initial: none,
    accepts: wireType => wireType === kind.wireType || (isPacked && wireType === DELIMITED),
    read(reader, wireType, before) {
      const values = before === undefined || before === none ? [] : (before as T[])
      if (wireType === kind.wireType) {
        add(reader, values)
        return values
      }
      const length = reader.length(0, Number.MAX_SAFE_INTEGER)
      return reader.within(length, () => {
        while (reader.at < reader.end) add(reader, values)
        return values
      })
    },
    lackOf: values => ((values?.length ?? 0) < min ? `fewer than ${min}` : undefined),
    problemOf(values) {
      if (values.length < min || values.length > max) return `${values.length} are not ${min} to ${max}`
      for (const value of values) {
        const problem = kind.problemOf(value)
        if (problem !== undefined) return problem
      }
      return undefined
    },
    sizeOf(values) {
      if (values.length === 0) return 0
      return isPacked ? tagBytes + delimited(contentOf(values)) : contentOf(values)
    },
    write(writer, values) {
      if (values.length === 0) return
      if (isPacked) {
        writer.varint(tag)
        writer.varint(contentOf(values))
      }
      for (const value of values) {
        if (!isPacked) writer.varint(tag)
        kind.write(writer, value)
      }
    },
  }
}

/**
 * A message with these fields.
 * @param frameMaxBytes how long a frame with it may be: at least what its fields take, which is also the default. More
 *   than that leaves room for the fields of later versions, which this one skips.
 */
export function message<S extends Schema>(schema: S, frameMaxBytes?: number): Message<ValueOf<S>> {
  const layout = new Layout(schema)
  const { maxBytes } = layout
  const longest = frameMaxBytes ?? maxBytes
  assert.ok(longest >= maxBytes, `the fields may take ${maxBytes} bytes, a frame only ${longest}`)
  const kind: Kind<Fields> = {
    wireType: DELIMITED,
    maxBytes: delimited(maxBytes),
    missing: undefined,
    isDefault: () => false,
    read: reader => reader.within(reader.length(0, longest), () => layout.read(reader)),
    problemOf: value => layout.problemOf(value),
    sizeOf: value => delimited(layout.sizeOf(value)),
    write(writer, value) {
      writer.varint(layout.sizeOf(value))
      layout.write(writer, value)
    },
  }
  const encode = (value: Fields): Uint8Array => {
    assert.equal(layout.problemOf(value), undefined)
    const writer = new WireWriter(layout.sizeOf(value))
    layout.write(writer, value)
    assert.ok(writer.isFull)
    return writer.bytes
  }
  const decode = (frame: Uint8Array): Decoded<Fields> => {
    const sizeBytes = frame.byteLength
    if (sizeBytes > longest)
      return { problem: `${sizeBytes} bytes are more than ${longest}`, isExcess: false }
    const reader = new WireReader(frame)
    const value = layout.read(reader)
    const { problem, isExcess } = reader
    return problem === undefined ? { value } : { problem, isExcess }
  }
  // The names and types of the fields are the schema's; below here they are only names.
  return { maxBytes, frameMaxBytes: longest, kind, encode, decode } as Message<unknown> as Message<ValueOf<S>>
}

type Fields = Record<string, unknown>

/** The fields of a message, in the order of their numbers. */
class Layout {
  readonly maxBytes: number
  readonly #fields: readonly (readonly [name: string, field: Field<unknown>])[]
  readonly #byNumber: ReadonlyMap<number, readonly [name: string, field: Field<unknown>]>
  readonly #initial: Fields

  constructor(schema: Schema) {
    const fields = Object.entries(schema).toSorted(([, one], [, other]) => one.number - other.number)
    this.#fields = fields
    this.#byNumber = new Map(fields.map(entry => [entry[1].number, entry]))
    this.#initial = Object.fromEntries(fields.map(([name, field]) => [name, field.initial]))
    this.maxBytes = fields.reduce((sum, [, field]) => sum + field.maxBytes, 0)
    assert.equal(this.#byNumber.size, fields.length, 'two fields have one number')
  }

  read(reader: WireReader): Fields {
    const value = { ...this.#initial }
    while (reader.at < reader.end) {
      const tag = reader.tag()
      const entry = this.#byNumber.get(tag >>> 3)
      if (reader.problem !== undefined) break
      if (entry === undefined) reader.skip(tag & 7)
      else this.#readField(reader, entry, tag & 7, value)
    }
    if (reader.problem !== undefined) return value
    for (const [name, field] of this.#fields) {
      const lack = field.lackOf(value[name])
      if (lack !== undefined) reader.fail(`${name}: ${lack}`)
    }
    return value
  }

  #readField(
    reader: WireReader,
    [name, field]: readonly [string, Field<unknown>],
    wireType: number,
    value: Fields,
  ): void {
    if (field.accepts(wireType)) value[name] = field.read(reader, wireType, value[name])
    else reader.fail(`wire type ${wireType}`)
    if (reader.problem !== undefined) reader.problem = `${name}: ${reader.problem}`
  }

  problemOf(value: Fields): string | undefined {
    for (const [name, field] of this.#fields) {
      const problem = field.problemOf(value[name])
      if (problem !== undefined) return `${name}: ${problem}`
    }
    return undefined
  }

  sizeOf(value: Fields): number {
    return this.#fields.reduce((sum, [name, field]) => sum + field.sizeOf(value[name]), 0)
  }

  write(writer: WireWriter, value: Fields): void {
    for (const [name, field] of this.#fields) field.write(writer, value[name])
  }
}

/** What stands before a value: the number of its field and how it is written. At most two bytes. */
function tagOf(number: number, wireType: number): number {
  assert.ok(Number.isInteger(number) && number >= 1 && number <= 2_047)
  return number * 8 + wireType
}
