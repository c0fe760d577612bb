/**
 * One node whose neighbours are played by hand, and what is looked for in its actions.
 */
import { Random } from '../../src/core/random.ts'
import type { MessageId } from '../../src/core/types.ts'
import type { SwarmHead } from '../../src/gossip/announcement.ts'
import { merkleTree } from '../../src/gossip/merkle.ts'
import { type SwarmFrame, swarmKey } from '../../src/gossip/swarm-frame.ts'
import { Swarms, type SwarmsAction, type SwarmsEvent } from '../../src/gossip/swarms.ts'

export const CHUNK = 1_024
export const COUNT = 8
export const PAYLOAD = Uint8Array.from({ length: COUNT * CHUNK }, (_, at) => at % 251)
export const TREE = merkleTree(PAYLOAD, CHUNK)
export const HEAD: SwarmHead = {
  id: new Uint8Array(20).fill(7) as MessageId,
  sizeBytes: PAYLOAD.byteLength,
  chunkBytes: CHUNK,
  root: TREE.root,
  header: new Uint8Array(0),
  origin: 'origin',
  signature: new Uint8Array(0),
}
export const KEY = swarmKey(HEAD)
export const EMPTY: SwarmFrame = {
  key: KEY,
  have: [],
  complete: false,
  ask: [],
  lack: [],
  chunk: undefined,
  got: [],
}

/** One node whose neighbours are played by hand. */
export class Alone {
  readonly machine: Swarms
  nowMs = 0

  constructor(peers: readonly string[] = ['a', 'b']) {
    const random = new Random('1')
    this.machine = new Swarms({ expireMs: 10_000 }, () => random.fraction())
    for (const peer of peers) this.handle({ type: 'peer', peer })
  }

  handle(event: SwarmsEvent): SwarmsAction[] {
    const actions = this.machine.handle(event, this.nowMs)
    this.machine.check()
    return actions
  }

  begin(from: string | undefined, options: { isOpen?: boolean; neighbours?: string[] } = {}): SwarmsAction[] {
    const { isOpen = true, neighbours = ['a', 'b'] } = options
    const base = { type: 'begin', key: KEY, topic: 't', head: HEAD, from, neighbours, isOpen } as const
    return this.handle(from === undefined ? { ...base, payload: PAYLOAD } : base)
  }

  frame(peer: string, parts: Partial<SwarmFrame>, sizeBytes = 100): SwarmsAction[] {
    const frame = { ...EMPTY, ...parts }
    return this.handle({ type: 'frame', peer, frame, sizeBytes })
  }

  give(peer: string, index: number, parts: Partial<SwarmFrame> = {}): SwarmsAction[] {
    return this.frame(peer, { chunk: chunkAt(index), ...parts })
  }

  /** Lets time pass in ticks. */
  pass(ms: number): SwarmsAction[] {
    const actions: SwarmsAction[] = []
    for (let passed = 0; passed < ms; passed += 50) {
      this.nowMs += 50
      actions.push(...this.handle({ type: 'tick' }))
    }
    return actions
  }
}

export function chunkAt(index: number) {
  return { index, data: PAYLOAD.subarray(index * CHUNK, (index + 1) * CHUNK), proof: TREE.proof(index) }
}

export const framesOf = (actions: SwarmsAction[], peer?: string): SwarmFrame[] =>
  actions.flatMap(one => (one.type === 'send' && (peer ?? one.peer) === one.peer ? [one.frame] : []))
export const chunksOf = (actions: SwarmsAction[], peer?: string): number[] =>
  framesOf(actions, peer).flatMap(({ chunk }) => (chunk === undefined ? [] : [chunk.index]))
export const asksOf = (actions: SwarmsAction[], peer?: string): number[] =>
  framesOf(actions, peer).flatMap(({ ask }) => ask)
export const havesOf = (actions: SwarmsAction[], peer?: string): number[] =>
  framesOf(actions, peer).flatMap(({ have }) => have)
export const gotsOf = (actions: SwarmsAction[], peer?: string): number[] =>
  framesOf(actions, peer).flatMap(({ got }) => got)
export const lacksOf = (actions: SwarmsAction[]): number[] => framesOf(actions).flatMap(({ lack }) => lack)
export const blamesOf = (actions: SwarmsAction[]): string[] =>
  actions.flatMap(one => (one.type === 'offence' ? [`${one.peer} ${one.offence}`] : []))
export const typesOf = (actions: SwarmsAction[]): string[] => actions.map(({ type }) => type)
export const ALL = Array.from({ length: COUNT }, (_, index) => index)
