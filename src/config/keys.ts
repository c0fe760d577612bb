/**
 * The keys of the configuration as data: paths, names, environment variables, and what each key expects.
 *
 * All of it is read from the JSON Schema that zod makes of `schema.ts`, not from zod's own objects: JSON
 * Schema is a published format, and what editors are told is then what our own messages and documents say.
 */
import * as z from 'zod'
import { configSchema } from './schema.ts'

/** The parts of JSON Schema (draft 7) that describe our configuration. */
export interface KeySchema {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMaximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly maxItems?: number
  readonly items?: KeySchema
  readonly properties?: Readonly<Record<string, KeySchema>>
  readonly propertyNames?: KeySchema
  readonly additionalProperties?: boolean | KeySchema
  readonly anyOf?: readonly KeySchema[]
}

/** From the root to a value: names of keys, and numbers for places in a list. */
export type Path = readonly (string | number)[]

/** One key that holds a value: a leaf, or a record with names of the user's own. */
export interface ConfigKey {
  readonly path: readonly string[]
  /** `gossip.heartbeatMs` */
  readonly name: string
  /** `FLOODGATE_GOSSIP_HEARTBEAT_MS` */
  readonly variable: string
  readonly schema: KeySchema
}

/** A group of keys under one heading; the keys outside any section have no name. */
export interface ConfigSection {
  readonly name?: string
  readonly schema: KeySchema
  readonly keys: readonly ConfigKey[]
}

const root = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' }) as KeySchema

/** The JSON Schema of `floodgate.yaml`, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const properties = Object.entries(root.properties ?? {}).map(([name, schema]) => [
    name,
    // A section whose keys are all commented out reads as null, which the loader takes for empty.
    schema.properties === undefined ? schema : { ...schema, type: ['object', 'null'] },
  ])
  return { ...root, title: 'Floodgate configuration', properties: Object.fromEntries(properties) }
}

/** Every section in the order of the schema, first the one without a name. */
export function configSections(): ConfigSection[] {
  const loose: ConfigKey[] = []
  const sections: ConfigSection[] = [{ schema: root, keys: loose }]
  for (const [name, schema] of Object.entries(root.properties ?? {})) {
    if (schema.properties === undefined) loose.push(keyOf([name], schema))
    else
      sections.push({
        name,
        schema,
        keys: Object.entries(schema.properties).map(([key, it]) => keyOf([name, key], it)),
      })
  }
  return sections
}

/** Every key that holds a value. */
export function configKeys(): ConfigKey[] {
  return configSections().flatMap(section => section.keys)
}

function keyOf(path: readonly string[], schema: KeySchema): ConfigKey {
  return { path, name: keyName(path), variable: variableName(path), schema }
}

function variableName(path: readonly string[]): string {
  const words = path.map(part => part.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase())
  return `FLOODGATE_${words.join('_')}`
}

/** What is known of the value at a path; undefined when there can be none. */
export function schemaAt(path: Path): KeySchema | undefined {
  let schema: KeySchema | undefined = root
  for (const part of path) {
    if (schema === undefined) return undefined
    if (typeof part === 'number') schema = schema.items
    else if (schema.properties !== undefined) schema = own(schema.properties, part)
    else schema = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
  }
  return schema
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

/** A path for people: `topics."a.b".mode`, `listen[0]`. Parts that need it are quoted as in JSON. */
export function keyName(path: Path): string {
  if (path.length === 0) return 'configuration'
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`
      const name = /^[\w:/-]+$/.test(part) ? part : JSON.stringify(part)
      return index === 0 ? name : `.${name}`
    })
    .join('')
}

/** The inverse of `keyName` for paths without list places; undefined when the text is no such path. */
export function parseKeyName(text: string): string[] | undefined {
  if (!/^(?:[^."[\]]+|"(?:[^"\\]|\\.)*")(?:\.(?:[^."[\]]+|"(?:[^"\\]|\\.)*"))*$/.test(text)) return undefined
  const parts = text.match(/[^."]+|"(?:[^"\\]|\\.)*"/g) ?? []
  try {
    return parts.map(part => (part.startsWith('"') ? (JSON.parse(part) as string) : part))
  } catch {
    return undefined
  }
}

/** A noun phrase that completes "expected …". */
export function expectation(schema: KeySchema): string {
  if (schema.title !== undefined) return schema.title
  if (schema.anyOf !== undefined) return schema.anyOf.map(expectation).join(' or ')
  if (schema.enum !== undefined) return `${schema.enum.length > 1 ? 'one of ' : ''}${schema.enum.join(', ')}`
  if (schema.properties !== undefined) return 'a section of keys'
  switch (schema.type) {
    case 'integer':
      return `a whole number from ${schema.minimum} to ${schema.maximum}`
    case 'number':
      return `a number from ${schema.minimum} to less than ${schema.exclusiveMaximum}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return `a list of at most ${schema.maxItems}, each ${expectation(schema.items ?? {})}`
    default:
      return String(schema.type)
  }
}
