/**
 * Sizes, durations and fractions as people write them, and numbers as people read them.
 *
 * Rule: kB, MB and GB are powers of 1,000, KiB, MiB and GiB powers of 1,024, upper and lower case alike. What
 * cannot be read is `undefined`; the caller knows which option it came from and says so.
 */

const BYTES: Record<string, number> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function scaled(text: string, units: Record<string, number>): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? []
  const name = unit?.toLowerCase() ?? ''
  const factor = Object.hasOwn(units, name) ? units[name] : undefined
  return digits === undefined || factor === undefined ? undefined : Math.round(Number(digits) * factor)
}

/** `300`, `1kB`, `64KiB`, `1.5MB` in bytes. */
export function parseSize(text: string): number | undefined {
  return scaled(text, BYTES)
}

/** `500ms`, `15s`, `2m`, `1h`, `7d` in milliseconds. A bare number has no unit and is refused. */
export function parseDuration(text: string): number | undefined {
  return scaled(text, MILLISECONDS)
}

/** `0.1` or `10%` as a number from 0 to 1. */
export function parseFraction(text: string): number | undefined {
  const [, digits, percent] = /^(\d*\.?\d+)\s*(%?)$/.exec(text.trim()) ?? []
  if (digits === undefined) return undefined
  const value = percent === '%' ? Number(digits) / 100 : Number(digits)
  return value <= 1 ? value : undefined
}

/** Decimal digits alone. */
export function parseCount(text: string): number | undefined {
  return /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined
}

/** `1,234,567` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** Three significant digits and a decimal unit: `812 B`, `5.21 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000
    unit += 1
  }
  return `${unit === 0 ? value : digits3(value)} ${units[unit]}`
}

/** Three significant digits: `0.42 ms`, `12.3 ms`, `1.24 s`. */
export function formatMs(ms: number): string {
  return ms >= 999.5 ? `${digits3(ms / 1_000)} s` : `${digits3(ms)} ms`
}

/** Three significant digits without an exponent, thousands and more as they are. */
export function digits3(value: number): string {
  if (value >= 99.95) return value.toFixed(0)
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2)
}

/** Whole seconds: `7 s`, `2 min 05 s`, `1 h 02 min`. */
export function formatElapsed(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  const two = (value: number): string => String(value).padStart(2, '0')
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`
  return `${Math.floor(seconds / 3_600)} h ${two(Math.floor((seconds % 3_600) / 60))} min`
}
