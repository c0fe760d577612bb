/**
 * What zod finds wrong with a scenario, in the words of a scenario: a line each, with its place and what was expected.
 */
import { keyName, type Path } from '../config/keys.ts'
import type { Locate, Problem } from '../config/problems.ts'
import { nearest } from '../config/suggest.ts'
import { scenarioJsonSchema } from './schema.ts'

/** What zod tells of a mistake, as far as it is used. */
export interface Issue {
  readonly code: string
  readonly path: Path
  readonly message: string
  readonly keys?: readonly string[]
  /** The mistakes by each form that a value may have. */
  readonly errors?: readonly (readonly Issue[])[]
}

/** @param values the scenario as it was parsed from YAML */
export function schemaProblems(issues: readonly Issue[], values: unknown, locate: Locate): Problem[] {
  return issues.flatMap(issue => {
    const inner = closest(issue)
    if (inner !== undefined) {
      const nested = inner.map(it => ({ ...it, path: [...issue.path, ...it.path] }))
      return schemaProblems(nested, values, locate)
    }
    if (issue.code === 'unrecognized_keys') {
      return (issue.keys ?? []).map(key => {
        const path = [...issue.path, key]
        return { where: locate(path, 'key'), key: nameOf(path), message: unknownKey(key) }
      })
    }
    return [{ where: locate(issue.path, 'value'), key: nameOf(issue.path), message: mistake(issue, values) }]
  })
}

/** Of a value that has the wrong form in every way, what is wrong inside it in the form that fits best. */
function closest({ errors = [] }: Issue): readonly Issue[] | undefined {
  return errors.find(issues =>
    issues.some(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
  )
}

function mistake({ path, message }: Issue, values: unknown): string {
  let value = values
  for (const part of path) value = (value as Record<string | number, unknown> | undefined)?.[part]
  if (value === undefined) return `is missing, ${message}`
  const text =
    typeof value === 'object' ? (Array.isArray(value) ? 'a list' : 'a section') : JSON.stringify(value)
  return `is ${text}, ${message}`
}

function unknownKey(key: string): string {
  const names = new Set(
    JSON.stringify(scenarioJsonSchema())
      .match(/"\w+":\{/g)
      ?.map(it => it.slice(1, -3)),
  )
  if (names.has(key)) return 'is not a key that can stand here'
  const near = nearest(key, [...names])
  return near === undefined ? 'unknown key' : `unknown key, did you mean ${near}?`
}

/** Empty for the whole scenario. */
export function nameOf(path: Path): string {
  return path.length === 0 ? '' : keyName(path)
}
