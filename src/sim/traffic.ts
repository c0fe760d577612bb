/**
 * Messages: who sends which when, and what their verdicts cost.
 *
 * Without a module of the user's, payloads carry a checksum and the gate accepts what has it (`payload.ts`): so spam is
 * rejected by a gate that has read every byte.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TopicGate } from '../cli/cluster/gate-module.ts'
import { checkPayload, makePayload } from '../cli/cluster/payload.ts'
import { FloodgateError } from '../core/errors.ts'
import { messageHex, messageId } from '../core/hash.ts'
import type { Random } from '../core/random.ts'
import type { Topic } from '../core/types.ts'
import type { HandlerResult, Mode, TopicOptions } from '../core/upper.ts'
import type { Node } from '../node.ts'
import type { Measures } from './measures.ts'
import type { Member } from './population.ts'
import { sample } from './sample.ts'
import type { TrafficValues } from './schema.ts'
import { select } from './selector.ts'
import type { Stage } from './stage.ts'

/** The topics of a scenario, and what judges each. @throws FloodgateError CONFIG for one that `given` lacks */
export function gatesOf(
  traffic: readonly TrafficValues[],
  given: ReadonlyMap<Topic, TopicGate> | undefined,
  modeOf: (topic: Topic) => Mode,
): Map<Topic, TopicGate> {
  const gates = new Map<Topic, TopicGate>()
  for (const { topic, files } of traffic) {
    const own = given?.get(topic)
    if (given !== undefined && own === undefined) {
      throw new FloodgateError('CONFIG', `the module of handlers has no topic ${topic}`)
    }
    const isGood = (payload: Uint8Array): boolean => files !== undefined || checkPayload(payload)
    // A swarm goes on before it is complete only where somebody looks at its header.
    const quick: TopicOptions = { quickVerify: ({ payload }) => payload === undefined || isGood(payload) }
    const options = modeOf(topic) === 'flood' ? {} : quick
    gates.set(topic, own ?? { handler: ({ payload }) => isGood(payload), options })
  }
  return gates
}

/** Subscribes a node to every topic. Verdicts take virtual time, one after the other, as on one core. */
export function subscribeAll(
  node: Node,
  traffic: readonly TrafficValues[],
  gates: ReadonlyMap<Topic, TopicGate>,
  nowMs: () => number,
): void {
  let freeAtMs = 0
  const work = (costMs: number): Promise<void> => {
    freeAtMs = Math.max(freeAtMs, nowMs()) + costMs
    return new Promise(resolve => setTimeout(resolve, freeAtMs - nowMs()))
  }
  for (const [topic, { handler, options }] of gates) {
    const { quick, full } = traffic.find(kind => kind.topic === topic)?.validate ?? { full: 0 }
    const first = quick === undefined ? {} : { quickVerify: quickVerify(quick, options, work) }
    node.subscribe(
      topic,
      full === 0
        ? handler
        : async (message): Promise<HandlerResult> => {
            await work(full)
            return await handler(message)
          },
      { ...options, ...first },
    )
  }
}

function quickVerify(
  costMs: number,
  { quickVerify: own }: TopicOptions,
  work: (costMs: number) => Promise<void>,
): NonNullable<TopicOptions['quickVerify']> {
  return async preview => {
    await work(costMs)
    if (own !== undefined) return await own(preview)
    return preview.payload === undefined || checkPayload(preview.payload)
  }
}

/** Sends one kind of message until the end. @param phaseAt the index of the phase at a time */
export function playTraffic(
  stage: Stage,
  kind: TrafficValues,
  index: number,
  measures: Measures,
  phaseAt: (atMs: number) => number,
): void {
  const random = stage.random(`traffic/${index}`)
  const senders = select(kind.from, stage.crew.members, random)
  const payloads = kind.files === undefined ? generated(kind, index, random) : filed(kind.files)
  const send = (): void => {
    const [sender] = sample(stage.crew.up(senders), 1, random)
    const payload = sender === undefined ? undefined : payloads.next(sender)
    if (sender === undefined || payload === undefined) return
    const key = messageHex(messageId(kind.topic, payload))
    const { nowMs, world, crew } = stage
    const sizeBytes = payload.byteLength
    measures.sent({
      key,
      topic: kind.topic,
      origin: sender.index,
      atMs: nowMs,
      sizeBytes,
      phase: phaseAt(nowMs),
    })
    world.note('send', `${sender.name} ${kind.topic} ${key.slice(0, 12)} ${sizeBytes}`)
    stage.at(nowMs, () => crew.node(sender.index).call(node => propagate(node, kind.topic, payload)))
  }
  if (kind.rate !== undefined) stage.often(random, kind.rate, [kind.at, stage.durationMs], send)
  else regularly(stage, kind, send)
}

function regularly(stage: Stage, kind: TrafficValues, send: () => void): void {
  const { every = stage.durationMs } = kind
  const next = (atMs: number): void => {
    if (atMs >= stage.durationMs) return
    stage.at(atMs, () => {
      send()
      next(atMs + every)
    })
  }
  next(kind.at)
}

/** How often, and after what pause, a message that nobody took is propagated again. */
const TRIES_MAX = 10
const RETRY_MS = 1_000

/** As a program should: a node that has just come back knows nobody, and what nobody took is lost. */
async function propagate(node: Node, topic: Topic, payload: Uint8Array): Promise<void> {
  try {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const { recipients, seen } = await node.propagate(topic, payload)
      if (recipients > 0 || seen) return
      await new Promise(resolve => setTimeout(resolve, RETRY_MS))
    }
  } catch (error) {
    // An event has stopped it while it waited for its turn.
    const isStopped = error instanceof FloodgateError && ['STOPPED', 'NOT_STARTED'].includes(error.code)
    if (!isStopped) throw error
  }
}

interface Payloads {
  /** Undefined when there are no more. */
  next(sender: Member): Uint8Array | undefined
}

function generated({ size: sizeBytes }: TrafficValues, kind: number, random: Random): Payloads {
  // Kinds of the same topic count apart, so that no two payloads are the same.
  let sequence = kind * 2 ** 32
  return {
    next: sender =>
      makePayload({ sender: sender.index, sequence: sequence++, sizeBytes, spoilt: false }, random),
  }
}

/** @throws FloodgateError CONFIG */
function filed(folder: string): Payloads {
  let names: string[]
  try {
    names = readdirSync(folder).sort()
  } catch (cause) {
    throw new FloodgateError('CONFIG', `files ${folder}: ${(cause as Error).message}`)
  }
  return {
    next: () => {
      const name = names.shift()
      return name === undefined ? undefined : new Uint8Array(readFileSync(join(folder, name)))
    },
  }
}
