/**
 * The values that scenarios are made of, as zod schemas: those that people write with a unit, names, selectors.
 *
 * Every schema here carries the whole text of its error, "expected …", since a scenario is written by hand and the
 * reader of the error has only that line.
 */
import * as z from 'zod'
import { parseDuration, parseFraction, parseSize } from '../cli/cluster/units.ts'

const BITS: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9 }

const PERIODS_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 }

/** `20mbit` or `1gbit/s` in bits a second, above 0; `unlimited` is Infinity. */
export function parseBitRate(text: string): number | undefined {
  if (text.trim().toLowerCase() === 'unlimited') return Number.POSITIVE_INFINITY
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([kmg]?)bit(?:\/s)?$/i.exec(text.trim()) ?? []
  const bits = Number(digits) * (BITS[unit?.toLowerCase() ?? ''] ?? Number.NaN)
  return bits > 0 ? bits : undefined
}

/** `20/s` or `6/m` as a number of events a second, above 0 and at most 10,000. */
export function parseEventRate(text: string): number | undefined {
  const [, digits, period] = /^(\d+(?:\.\d+)?)\s*\/\s*([smh])$/.exec(text.trim()) ?? []
  const rate = (Number(digits) * 1_000) / (PERIODS_MS[period ?? ''] ?? Number.NaN)
  return rate > 0 && rate <= 10_000 ? rate : undefined
}

/** `3s`, or `-3s` for one that goes back, in milliseconds. */
export function parseOffset(text: string): number | undefined {
  const ms = parseDuration(text.trim().replace(/^[+-]/, ''))
  return ms !== undefined && text.trim().startsWith('-') ? -ms : ms
}

/** A text, or a number that needs no unit, read by `parse`. @param what completes "expected …" */
function quantity(parse: (text: string) => number | undefined, what: string) {
  const error = `expected ${what}`
  return z.union([z.string(), z.number()], { error }).transform((value, context) => {
    const parsed = parse(String(value))
    if (parsed !== undefined) return parsed
    context.issues.push({ code: 'custom', message: error, input: value })
    return z.NEVER
  })
}

/** Milliseconds. */
export const duration = quantity(parseDuration, 'a duration such as 500ms, 15s or 2m')

/** Milliseconds, also below 0. */
export const offset = quantity(parseOffset, 'a duration such as 3s or -500ms')

/** Bytes. @param minBytes refuses less */
export function size(minBytes: number) {
  const atLeast = (text: string): number | undefined => {
    const bytes = parseSize(text)
    return bytes !== undefined && bytes >= minBytes ? bytes : undefined
  }
  return quantity(atLeast, `a size such as 300, 1kB or 64KiB, at least ${minBytes}`)
}

/** 0 to 1. */
export const fraction = quantity(parseFraction, 'a fraction from 0 to 1, such as 0.1 or 10%')

/** Bits a second. */
export const bitRate = quantity(parseBitRate, 'a rate such as 20mbit, 1gbit or unlimited')

/** Events a second. */
export const eventRate = quantity(parseEventRate, 'a rate such as 20/s or 6/m')

/** A whole number. */
export function whole(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

export const flag = z.boolean({ error: 'expected true or false' })

/** One of some words. */
export function word<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words, { error: `expected one of ${words.join(', ')}` })
}

/** A name of the user's own: of a class, a region, a phase. */
export const name = z
  .string({ error: 'expected a name' })
  .regex(/^[a-z][\w-]{0,63}$/i, { error: 'expected a name of letters, digits, "_" and "-"' })

/** Errors of objects and lists. */
export const section = { error: 'expected a section of keys' }
export const list = { error: 'expected a list' }

/** Which nodes (`selector.ts`), as a list of words. */
export const selector = z
  .union([z.string(), z.array(z.string()).min(1)], {
    error: 'expected nodes: n1, n1..n20, a class, a region, 10%, all, or a list of these',
  })
  .transform(value => (typeof value === 'string' ? [value] : value))
