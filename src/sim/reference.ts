/**
 * The tables of `docs/simulation.md`: every key of a scenario, from the schema.
 */
import assert from 'node:assert/strict'
import { scenarioJsonSchema } from './schema.ts'

/** What is used of JSON Schema. */
interface Key {
  readonly description?: string
  readonly default?: unknown
  readonly const?: string
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, Key>>
  readonly required?: readonly string[]
  readonly items?: Key
  readonly oneOf?: readonly Key[]
  readonly additionalProperties?: Key | boolean
}

/** Sections that have a table of their own, and where their keys stand. */
const SECTIONS: readonly [title: string, keysOf: (root: Key) => readonly Key[]][] = [
  ['The scenario', root => [root]],
  ['`nodes`', root => [keyOf(root, 'nodes')]],
  ['`classes`: a name, and', root => [keyOf(root, 'classes').additionalProperties as Key]],
  ['`regions`', root => [keyOf(root, 'regions')]],
  ['`traffic`: a list of', root => [keyOf(root, 'traffic').items ?? {}]],
  ['`events`: a list of', root => keyOf(root, 'events').items?.oneOf ?? []],
  ['`attackers`: a list of', root => keyOf(root, 'attackers').items?.oneOf ?? []],
]

const BEGIN = '<!-- Generated from src/sim/schema.ts by `node scripts/simulation-docs.ts`. -->'
const END = '<!-- End of what is generated. -->'

/** The page with its tables as they should be. */
export function withTables(page: string): string {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  assert.ok(before >= 0 && after > before, 'the page has lost its marks')
  return `${page.slice(0, before)}${BEGIN}\n\n${scenarioTables()}\n${page.slice(after)}`
}

/** All tables, as Markdown. */
function scenarioTables(): string {
  const root = scenarioJsonSchema() as Key
  return SECTIONS.flatMap(([title, keysOf]) => keysOf(root).map(section => tableOf(title, section))).join(
    '\n',
  )
}

function tableOf(title: string, section: Key): string {
  const { kind, ...keys } = section.properties ?? {}
  const head = kind === undefined ? title : `${title} \`kind: ${kind.const}\``
  const text = kind?.description ?? ''
  const rows = rowsOf(keys, section.required ?? [], '')
  return `### ${head}\n${text === '' ? '' : `\n${text}\n`}\n| key | default | |\n|---|---|---|\n${rows.join('\n')}\n`
}

function rowsOf(keys: Readonly<Record<string, Key>>, required: readonly string[], prefix: string): string[] {
  return Object.entries(keys).flatMap(([name, key]) => {
    const isNeeded = required.includes(name) && key.default === undefined
    const row = `| \`${prefix}${name}\` | ${isNeeded ? '**needed**' : defaultOf(key)} | ${cell(key.description ?? '')} |`
    // Sections with a table of their own come below.
    const inner = prefix === '' && name === 'validate' ? rowsOf(key.properties ?? {}, [], 'validate.') : []
    return inner.length > 0 ? inner : [row]
  })
}

function defaultOf(key: Key): string {
  if (key.default === undefined) return ''
  const value = typeof key.default === 'string' ? key.default : JSON.stringify(key.default)
  return `\`${value}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

function keyOf(section: Key, name: string): Key {
  return section.properties?.[name] ?? {}
}
