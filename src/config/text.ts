/**
 * Values that are written as text: environment variables and flags.
 */
import { resolve } from 'node:path'
import { parse } from 'yaml'
import { type Path, schemaAt } from './keys.ts'

/**
 * Reads the text of a value for the key at `path`:
 * - texts and words as they are, or in quotes as in YAML;
 * - lists cut at commas, or in brackets as in YAML;
 * - all else as YAML, of which JSON is a part.
 *
 * Never fails: what cannot be read stays the text that it is, and the schema then says what it expected.
 */
export function readText(path: Path, text: string): unknown {
  const schema = schemaAt(path)
  if (schema?.type === 'array' && !text.trimStart().startsWith('[')) {
    const items = text.split(',').map(item => item.trim())
    return items.filter(item => item !== '')
  }
  if (schema?.type === 'string' && !/^["']/.test(text)) return text
  try {
    return parse(text, { logLevel: 'error', stringKeys: true })
  } catch {
    return text
  }
}

/** A value inside the sections that lead to it. */
export function nest(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, key) => ({ [key]: inner }), value)
}

const PATH_KEYS = ['dataDir', 'identityFile', 'bootstrapFile']

/** The values with relative paths made absolute from `folder`. */
export function resolvePaths(values: unknown, folder: string): unknown {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return values
  const entries = Object.entries(values).map(([key, value]) => {
    const isPath = PATH_KEYS.includes(key) && typeof value === 'string' && value !== ''
    return [key, isPath ? resolve(folder, value) : value]
  })
  return Object.fromEntries(entries)
}
