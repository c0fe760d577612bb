/**
 * The configuration file, with the place of every key in it.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type YAMLMap,
} from 'yaml'
import { configSections, type Path } from './keys.ts'
import type { Source } from './layers.ts'
import type { Problem } from './problems.ts'
import { resolvePaths } from './text.ts'

/**
 * Reads a YAML file. Relative paths in it are relative to its folder. A section without keys counts as empty,
 * so that all its lines can be commented out. Never throws: what is wrong with the file is in `problems`.
 *
 * @param file as the user named it, which is how problems name it; relative to `cwd`
 */
export function readConfigFile(file: string, cwd: string): Source {
  const path = resolve(cwd, file)
  const failed = (where: string, message: string): Source => ({
    layers: [],
    problems: [{ where, key: '', message }],
  })

  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    const message = missing
      ? 'there is no such file, expected a configuration'
      : `cannot be read: ${(cause as Error).message}`
    return failed(file, message)
  }

  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    logLevel: 'error',
  })
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const mistakes = [...document.errors, ...document.warnings]
  const problems = mistakes.map(
    (mistake): Problem => ({
      where: at(mistake.pos[0]),
      key: '',
      message: `is not YAML: ${mistake.message}`,
    }),
  )
  if (problems.length > 0) return { layers: [], problems }

  let values: unknown
  try {
    values = document.toJS() ?? {}
  } catch (cause) {
    return failed(at(0), `is not YAML: ${(cause as Error).message}`)
  }
  const locate = (keys: Path, part: 'key' | 'value'): string => at(offsetOf(document, keys, part))
  return {
    layers: [{ values: resolvePaths(withEmptySections(values), dirname(path)), locate }],
    problems: [],
  }
}

function withEmptySections(values: unknown): unknown {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return values
  const sections = configSections().map(section => section.name)
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      value === null && sections.includes(key) ? {} : value,
    ]),
  )
}

/** Where a key or its value begins; for what the file does not hold, where the thing around it begins. */
function offsetOf(document: Document, path: Path, part: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = startOf(node) ?? 0
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document)
    const isLast = index === path.length - 1
    if (isMap(node)) {
      const pair = pairOf(node, step)
      if (pair === undefined) return offset
      offset = startOf(pair.key) ?? offset
      if (isLast && part === 'key') return offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
    } else {
      return offset
    }
    offset = startOf(node) ?? offset
  }
  return offset
}

function pairOf(map: YAMLMap, key: string | number) {
  return map.items.find(pair => isScalar(pair.key) && String(pair.key.value) === String(key))
}

/** The offset of a parsed node; an empty value has none worth showing, its key does. */
function startOf(node: unknown): number | undefined {
  if (isScalar(node) && node.value === null && node.source === '') return undefined
  if (isAlias(node) || isMap(node) || isSeq(node) || isScalar(node)) return node.range?.[0]
  return undefined
}
