/**
 * What is wrong with a configuration, collected: a user who made three mistakes is told of all three at once.
 *
 * A problem is one line: `<where> <key>: <what is wrong>, expected <what>`. `where` is `file:line:column`,
 * the name of an environment variable or a flag, and empty for a configuration that a program handed over.
 */
import { FloodgateError } from '../core/errors.ts'
import { configKeys, expectation, keyName, type Path, schemaAt } from './keys.ts'
import { configSchema } from './schema.ts'
import { nearest } from './suggest.ts'

export interface Problem {
  readonly where: string
  /** The key by its full name, for example `gossip.heartbeatMs`; empty when the problem is no key's. */
  readonly key: string
  readonly message: string
}

/** More than these are counted, not listed. */
const LISTED_MAX = 50

/** All problems of a configuration in one error. */
export class ConfigError extends FloodgateError {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    const lines = problems.slice(0, LISTED_MAX).map(problem => `\n  ${describe(problem)}`)
    if (problems.length > LISTED_MAX) lines.push(`\n  and ${problems.length - LISTED_MAX} more`)
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
    super('CONFIG', `${count} in the configuration:${lines.join('')}`)
    this.problems = problems
  }
}

function describe({ where, key, message }: Problem): string {
  const subject = [where, key].filter(part => part !== '').join(' ')
  return subject === '' ? message : `${subject}: ${message}`
}

/** Says where a key or its value was written. */
export type Locate = (path: Path, part: 'key' | 'value') => string

/** Everything about `values` that the schema alone can tell; empty means that it may be merged and parsed. */
export function schemaProblems(values: unknown, locate: Locate): Problem[] {
  // By where, key and message: a value that breaks two bounds of a key at once has one problem.
  const problems = new Map<string, Problem>()
  const add = (path: Path, part: 'key' | 'value', message: string): void => {
    const problem = { where: locate(path, part), key: keyName(path), message }
    problems.set(JSON.stringify(problem), problem)
  }
  for (const path of protoNames(values)) add(path, 'key', 'is not a name that can stand here')
  // The error map silences zod's own texts, so that a message that is left is a reason given in the schema.
  const result = configSchema.safeParse(values, { error: () => '', reportInput: true })
  for (const issue of result.error?.issues ?? []) {
    const path = issue.path as (string | number)[]
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) add([...path, key], 'key', unknownKey([...path, key]))
    } else if (issue.code === 'invalid_key') {
      const names = schemaAt(path.slice(0, -1))?.propertyNames ?? {}
      add(path, 'key', `is not a name that can stand here, expected ${expectation(names)}`)
    } else {
      const reason = issue.message === '' ? '' : ` (${issue.message})`
      add(path, 'value', `is ${shown(issue.input)}, expected ${expectation(schemaAt(path) ?? {})}${reason}`)
    }
  }
  return [...problems.values()]
}

/** Records with the name `__proto__`, which zod leaves out without a word: they are refused instead. */
function protoNames(values: unknown): Path[] {
  const records = configKeys().filter(({ schema }) => typeof schema.additionalProperties === 'object')
  return records.flatMap(({ path }) => {
    const record = valueAt(values, path)
    const found = typeof record === 'object' && record !== null && Object.hasOwn(record, '__proto__')
    return found ? [[...path, '__proto__']] : []
  })
}

/** The value at a path, looking at own properties only; undefined when there is none. */
export function valueAt(values: unknown, path: Path): unknown {
  let value = values
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string | number, unknown>)[part]
  }
  return value
}

function unknownKey(path: Path): string {
  const name = String(path.at(-1))
  const section = path.slice(0, -1)
  const siblings = Object.keys(schemaAt(section)?.properties ?? {})
  // A key may also be right and stand in the wrong section.
  const near = nearest(name, siblings)
  const elsewhere = configKeys().find(key => key.path.at(-1)?.toLowerCase() === name.toLowerCase())
  const suggestion = near === undefined ? elsewhere?.name : keyName([...section, near])
  return suggestion === undefined
    ? `unknown key, expected one of ${siblings.join(', ')}`
    : `unknown key, did you mean ${suggestion}?`
}

/** A value in a few characters. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a section'
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`
}
