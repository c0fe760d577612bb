/**
 * From what was asked for to what will be done: everything that can be wrong is found before a process is started.
 */
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { configSchema } from '../../config/schema.ts'
import { FloodgateError } from '../../core/errors.ts'
import { GOSSIP_PAYLOAD_MAX_BYTES } from '../../core/limits.ts'
import { isTopic } from '../../core/topic.ts'
import type { Topic } from '../../core/types.ts'
import type { Mode } from '../../core/upper.ts'
import { Feed } from './feed.ts'
import { chooseTopic, loadGateModule, type TopicGate } from './gate-module.ts'
import { type ClusterOptions, checkOptions, DEFAULTS } from './options.ts'
import { flipBit, type Spoil } from './spoil.ts'

export type Traffic =
  | {
      readonly kind: 'generated'
      readonly ratePerS: number
      readonly sizeBytes: number
      readonly reject: number
    }
  | { readonly kind: 'fed'; readonly feed: Feed; readonly corrupt: number; readonly spoil: Spoil }

export interface RunPlan {
  readonly nodes: number
  readonly topic: Topic
  readonly seed: string
  /** Absolute path of the gate module. */
  readonly handler?: string
  /** Overrides what the gate's module says. */
  readonly mode?: Mode
  /** The words of `--exec`; empty when the nodes run as they are. */
  readonly wrapper: readonly string[]
  /** Holds a folder for each node, which that node makes. */
  readonly dataDir: string
  readonly removeDataDir: boolean
  readonly traffic: Traffic
  /** The way of one message is shown at the end. */
  readonly traced?: boolean
  /** When to stop sending; without it a feed ends with itself, and generated traffic never. */
  readonly forMs?: number
}

/** @throws FloodgateError CONFIG */
export async function planOf(options: ClusterOptions, forMs: number | undefined): Promise<RunPlan> {
  checkOptions(options)
  const { nodes, seed, handler, exec, dataDir } = options
  const { topic, gate } = await gateOf(options)
  const traffic = await trafficOf(options, gate)
  return {
    nodes,
    seed,
    topic,
    traffic,
    traced: options.trace === true,
    wrapper: exec ?? [],
    ...(handler === undefined ? {} : { handler: resolve(handler) }),
    ...(options.mode === undefined ? {} : { mode: options.mode }),
    ...(forMs === undefined ? {} : { forMs }),
    dataDir: dataDir === undefined ? temporaryDir() : resolve(dataDir),
    removeDataDir: dataDir === undefined,
  }
}

/**
 * A name that nobody can guess, and no folder yet. The nodes make it, because they remove it when the cluster is
 * killed: a folder made here would stay behind if that happened before they had heard of it.
 */
function temporaryDir(): string {
  return join(tmpdir(), `floodgate-cluster-${randomBytes(12).toString('hex')}`)
}

async function gateOf({ handler, topic }: ClusterOptions): Promise<{ topic: Topic; gate?: TopicGate }> {
  if (topic !== undefined && !isTopic(topic))
    throw new FloodgateError('CONFIG', '--topic must be 1 to 256 bytes of UTF-8')
  if (handler === undefined) return { topic: topic ?? DEFAULTS.topic }
  const gates = await loadGateModule(handler)
  const chosen = chooseTopic([...gates.keys()], topic)
  const gate = gates.get(chosen)
  return gate === undefined ? { topic: chosen } : { topic: chosen, gate }
}

async function trafficOf(options: ClusterOptions, gate: TopicGate | undefined): Promise<Traffic> {
  const { feed, lines = false, corrupt = 0, rate, size, reject } = options
  const maxPayloadBytes = limitOf(gate)
  if (feed !== undefined) {
    const opened = await Feed.open(feed, { lines, maxPayloadBytes })
    return { kind: 'fed', feed: opened, corrupt, spoil: gate?.spoil ?? flipBit }
  }
  const sizeBytes = size ?? DEFAULTS.sizeBytes
  if (sizeBytes > maxPayloadBytes)
    throw new FloodgateError('CONFIG', `--size: the topic allows ${maxPayloadBytes} bytes`)
  // A gate of the user's knows nothing of our checksum, so nothing is spoilt for it.
  const share = gate === undefined ? (reject ?? DEFAULTS.reject) : 0
  return { kind: 'generated', ratePerS: rate ?? DEFAULTS.rate, sizeBytes, reject: share }
}

/** What the nodes will allow: our own gate takes all that gossip can carry. */
function limitOf(gate: TopicGate | undefined): number {
  if (gate === undefined) return GOSSIP_PAYLOAD_MAX_BYTES
  return gate.options.maxPayloadBytes ?? configSchema.parse({}).topicDefaults.maxPayloadBytes
}
