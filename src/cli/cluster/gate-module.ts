/**
 * `--handler MODULE`: the user's own gate.
 *
 * A module has topics, each `{ handler, quickVerify?, header?, corrupt?, …limits }`, as its default export, or as
 * its named exports when it has no default. `corrupt(payload, index)` says how the format is spoilt; it stands
 * in a topic, or beside the topics for all of them.
 *
 * Rules: in a default export everything must be a topic, and an unknown key of a topic is an error in both
 * forms, because a misspelt `quickVerify` would look like a gate that passes. Among named exports what has no
 * `handler` is none of our business: modules export their helpers too.
 */
import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { FloodgateError } from '../../core/errors.ts'
import type { Topic } from '../../core/types.ts'
import type { Handler, TopicOptions } from '../../core/upper.ts'
import type { Spoil } from './spoil.ts'

export interface TopicGate {
  readonly handler: Handler
  readonly options: TopicOptions
  readonly spoil?: Spoil
}

const FUNCTION_KEYS = ['handler', 'quickVerify', 'header', 'corrupt'] as const

const LIMIT_KEYS = [
  'mode',
  'floodDegree',
  'maxPayloadBytes',
  'verdictTimeoutMs',
  'concurrency',
  'queueMaxMessages',
  'queueMaxBytes',
] as const satisfies readonly (keyof TopicOptions)[]

/** @throws FloodgateError CONFIG when the module is missing, fails to load, or has no topic */
export async function loadGateModule(path: string): Promise<Map<Topic, TopicGate>> {
  const file = resolve(path)
  await access(file).catch(() => {
    throw new FloodgateError('CONFIG', `--handler ${path}: there is no such file`)
  })
  let module: Record<string, unknown>
  try {
    module = await import(pathToFileURL(file).href)
  } catch (error) {
    throw new FloodgateError('CONFIG', `--handler ${path}: ${whyNot(error)}`)
  }
  return readGates(module, path)
}

/** Node compiles no TypeScript below node_modules, and does not say what to do about it. */
function whyNot(error: unknown): string {
  const { code, message } =
    error instanceof Error ? (error as NodeJS.ErrnoException) : { code: '', message: String(error) }
  const isPackaged = code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING'
  return isPackaged ? 'Node loads no TypeScript from inside node_modules: copy the module out of it' : message
}

/** The topics of a loaded module. `name` is for errors. @throws FloodgateError CONFIG */
export function readGates(module: Readonly<Record<string, unknown>>, name: string): Map<Topic, TopicGate> {
  const fromDefault = module.default !== undefined
  const exported = fromDefault ? module.default : module
  if (!isRecord(exported))
    throw new FloodgateError('CONFIG', `--handler ${name}: the default export is not an object`)
  const { corrupt, ...rest } = exported
  const shared = corrupt ?? module.corrupt
  if (shared !== undefined && typeof shared !== 'function') {
    throw new FloodgateError('CONFIG', `--handler ${name}: "corrupt" is not a function`)
  }
  const gates = new Map<Topic, TopicGate>()
  for (const [topic, value] of Object.entries(rest)) {
    if (isRecord(value) && 'handler' in value) gates.set(topic, readGate(topic, value, shared, name))
    else if (fromDefault)
      throw new FloodgateError('CONFIG', `--handler ${name}: topic "${topic}" has no handler`)
  }
  if (gates.size === 0)
    throw new FloodgateError('CONFIG', `--handler ${name}: exports no topic ({ topic: { handler } })`)
  return gates
}

function readGate(topic: Topic, value: Record<string, unknown>, shared: unknown, name: string): TopicGate {
  const where = `--handler ${name}: topic "${topic}"`
  const known: readonly string[] = [...FUNCTION_KEYS, ...LIMIT_KEYS]
  for (const key of Object.keys(value)) {
    if (!known.includes(key))
      throw new FloodgateError('CONFIG', `${where} has an unknown key "${key}" (known: ${known.join(', ')})`)
  }
  for (const key of FUNCTION_KEYS) {
    if (value[key] !== undefined && typeof value[key] !== 'function') {
      throw new FloodgateError('CONFIG', `${where}: "${key}" is not a function`)
    }
  }
  // Checked above as far as a value can tell; what a function takes and returns, only a call can.
  const {
    handler,
    corrupt = shared,
    ...options
  } = value as unknown as TopicOptions & {
    handler: Handler
    corrupt?: Spoil
  }
  return { handler, options, ...(typeof corrupt === 'function' ? { spoil: corrupt as Spoil } : {}) }
}

/** The topic that was asked for, or the only one. @throws FloodgateError CONFIG */
export function chooseTopic(topics: readonly Topic[], wanted: Topic | undefined): Topic {
  const list = topics.map(topic => `"${topic}"`).join(', ')
  const [only, ...more] = topics
  if (wanted !== undefined) {
    if (topics.includes(wanted)) return wanted
    throw new FloodgateError('CONFIG', `--topic ${wanted}: the handler module has ${list}`)
  }
  if (only === undefined || more.length > 0)
    throw new FloodgateError('CONFIG', `--topic is needed: the handler module has ${list}`)
  return only
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
