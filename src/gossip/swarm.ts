/**
 * One swarm: which chunks of a payload this node holds, which its neighbours hold, and which to push or ask for next.
 * It decides nothing about time or peers; `swarms.ts` does.
 *
 * Rules (design, section 5):
 * - A chunk is kept only when its proof leads to the root; what was proved can be passed on with its proof.
 * - To push: the chunk that has spread least, among those that fewer than `fanout` neighbours have or are being sent.
 *   The one that gave us the chunk does not count: the origin so sends different chunks to different neighbours, and
 *   each of them passes its own on.
 * - To ask for: the chunk that the fewest neighbours have, with random ties, so that all do not ask for the same one.
 * - Chunks are kept as they came until the last one is there: an announcement alone costs no memory of its size. What
 *   came in a frame that is much longer than its chunk is copied: else small chunks could hold any amount of memory.
 */
import assert from 'node:assert/strict'
import type { RandomSource } from '../core/ports.ts'
import type { PeerId, Topic } from '../core/types.ts'
import type { SwarmHead } from './announcement.ts'
import { chunkCountOf, merkleTree, Verifier } from './merkle.ts'

/** `swarmKey` of its head. */
export type SwarmKey = string

/** A neighbour in one swarm. */
export interface Link {
  readonly peer: PeerId
  /** What is known of each chunk: `HAS`, `SENT`, `COUNTED`, `LACKS`, `LOST`. */
  readonly marks: Uint8Array
  /** How many it has. */
  hasCount: number
  /** What it asks of us, oldest first. */
  readonly wants: Set<number>
  /** What we ask of it, and since when. */
  readonly asked: Map<number, number>
  /** How many chunks may be asked of it at once. */
  askWindow: number
  /** Asks that it left without an answer, one after the other. */
  failures: number
  /** What it gave us, and has not been told of. */
  readonly ungot: Set<number>
  /** What it has not been told of our chunks; each chunk once. */
  untold: Set<number>
  /** It has been told that this node knows the swarm. */
  isTold: boolean
  /** When it was last told anew what is held here, because it asked. */
  retoldAtMs: number
  /** In the mesh: chunks are pushed to it. Others are sources only. */
  readonly isNeighbour: boolean
}

/** What was made of a chunk. */
export type Taken = 'new' | 'known' | 'wrong'

/** It says that it has the chunk, or gave it to us. */
const HAS = 1
/** We have sent it the chunk. */
const SENT = 2
/** It is counted among those to whom the chunk has spread. */
const COUNTED = 4
/** It was asked for the chunk and could not serve it. */
const LACKS = 8
/** It has asked for the chunk after it had got it from us. */
const LOST = 16

/** What a frame may have beside its chunk without being copied: its other fields, in a usual length. */
const SLACK_BYTES = 4_096

interface Proofs {
  proof(index: number): Uint8Array
}

export interface SwarmParts {
  readonly key: SwarmKey
  readonly topic: Topic
  readonly head: SwarmHead
  /** The peer whose announcement was the first; undefined for our own. */
  readonly from: PeerId | undefined
}

export class Swarm {
  readonly parts: SwarmParts
  readonly count: number
  readonly links = new Map<PeerId, Link>()
  /** Chunks may leave: the header was accepted, or the payload. */
  isOpen = false
  /** When the last chunk came, or the swarm began. */
  progressAtMs: number
  /** How long it takes from one chunk to the next, lately; 0 at the start. */
  gapMs = 0
  /** Of a swarm of our own: since when each chunk is with a neighbour or on its way to one. */
  spreadAtMs: number | undefined
  /** Of a swarm of our own: the neighbours were told what it holds. */
  isDeclared = false
  /** When the caller was last told that no chunk comes. */
  stalledAtMs = Number.NEGATIVE_INFINITY
  readonly beganAtMs: number
  #proofs: Proofs
  readonly #verifier: Verifier | undefined
  #chunks: (Uint8Array | undefined)[]
  #payload: Uint8Array | undefined
  #heldCount = 0
  #heldBytes = 0
  /** Of each chunk: how many neighbours have it. */
  readonly #holders: Uint16Array
  /** Of each chunk: how many neighbours have it or are being sent it, without the one that gave it to us. */
  readonly #spread: Uint16Array
  /** Of each chunk: of how many neighbours it is being asked. */
  readonly #askedOf: Uint8Array

  /** @param payload that of a swarm of our own; kept and shared */
  constructor(parts: SwarmParts, payload: Uint8Array | undefined, nowMs: number) {
    const { sizeBytes, chunkBytes } = parts.head
    this.parts = parts
    this.count = chunkCountOf(sizeBytes, chunkBytes)
    this.beganAtMs = nowMs
    this.progressAtMs = nowMs
    this.#holders = new Uint16Array(this.count)
    this.#spread = new Uint16Array(this.count)
    this.#askedOf = new Uint8Array(this.count)
    this.#chunks = []
    if (payload === undefined) {
      this.#verifier = new Verifier(parts.head)
      this.#proofs = this.#verifier
    } else {
      assert.equal(payload.byteLength, sizeBytes)
      this.#payload = payload
      this.#proofs = merkleTree(payload, chunkBytes)
      this.#heldCount = this.count
      this.#heldBytes = sizeBytes
    }
  }

  get heldCount(): number {
    return this.#heldCount
  }

  /** What its chunks take in memory. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  get isComplete(): boolean {
    return this.#heldCount === this.count
  }

  holds(index: number): boolean {
    return this.#payload !== undefined || this.#chunks[index] !== undefined
  }

  /** Which chunks are held. */
  held(): number[] {
    const indices: number[] = []
    for (let index = 0; index < this.count; index++) if (this.holds(index)) indices.push(index)
    return indices
  }

  /** A chunk that is held, a view. */
  chunk(index: number): Uint8Array {
    const { chunkBytes } = this.parts.head
    const chunk = this.#payload?.subarray(index * chunkBytes, (index + 1) * chunkBytes) ?? this.#chunks[index]
    assert.ok(chunk !== undefined)
    return chunk
  }

  proof(index: number): Uint8Array {
    return this.#proofs.proof(index)
  }

  /** Takes a chunk in, if its proof is right. Keeps its bytes, or a copy. */
  take(index: number, chunk: Uint8Array, proof: Uint8Array, nowMs: number): Taken {
    if (this.holds(index)) return 'known'
    if (this.#verifier?.accept(index, chunk, proof) !== true) return 'wrong'
    this.#chunks[index] = withoutBallast(chunk)
    this.#heldCount++
    this.#heldBytes += chunk.byteLength
    this.gapMs += (nowMs - this.progressAtMs - this.gapMs) / 8
    this.progressAtMs = nowMs
    return 'new'
  }

  /** Puts the chunks together, once all are held. */
  payload(): Uint8Array {
    assert.ok(this.isComplete)
    if (this.#payload === undefined) {
      const payload = new Uint8Array(this.parts.head.sizeBytes)
      for (let index = 0; index < this.count; index++) {
        payload.set(this.chunk(index), index * this.parts.head.chunkBytes)
      }
      this.#payload = payload
      this.#chunks = []
    }
    return this.#payload
  }

  link(peer: PeerId, isNeighbour: boolean): Link {
    const known = this.links.get(peer)
    if (known !== undefined) return known
    const link: Link = {
      peer,
      marks: new Uint8Array(this.count),
      hasCount: 0,
      wants: new Set(),
      asked: new Map(),
      askWindow: 2,
      failures: 0,
      ungot: new Set(),
      untold: new Set(),
      isTold: false,
      retoldAtMs: Number.NEGATIVE_INFINITY,
      isNeighbour,
    }
    this.links.set(peer, link)
    return link
  }

  /** A neighbour is gone; what was asked of it can be asked of others. */
  unlink(peer: PeerId): void {
    const link = this.links.get(peer)
    if (link === undefined) return
    this.links.delete(peer)
    for (let index = 0; index < this.count; index++) {
      const marks = link.marks[index] ?? 0
      if ((marks & HAS) !== 0) count(this.#holders, index, -1)
      if ((marks & COUNTED) !== 0) count(this.#spread, index, -1)
    }
    for (const index of link.asked.keys()) count(this.#askedOf, index, -1)
  }

  /** A neighbour has a chunk. @param isGiver it has just given it to us */
  heardOf(link: Link, index: number, isGiver = false): void {
    link.wants.delete(index)
    if (marked(link, index, HAS)) return
    mark(link, index, HAS)
    link.hasCount++
    count(this.#holders, index, 1)
    if (!isGiver) this.#countSpread(link, index)
  }

  /** Whether a neighbour has a chunk, by its own word or because it gave it to us. */
  isHeldBy(link: Link, index: number): boolean {
    return marked(link, index, HAS)
  }

  /** A neighbour was asked for a chunk and cannot serve it: it is not asked for it again, whatever it says. */
  lackedBy(link: Link, index: number): void {
    this.#hasNot(link, index)
    mark(link, index, LACKS)
  }

  /**
   * Whether a neighbour that asks for a chunk is to get it. One that has had it may have lost it, once: it came before the
   * swarm began there.
   */
  mayWant(link: Link, index: number): boolean {
    if (!marked(link, index, HAS)) return true
    if (marked(link, index, LOST) || !marked(link, index, SENT)) return false
    mark(link, index, LOST)
    this.#hasNot(link, index)
    return true
  }

  #hasNot(link: Link, index: number): void {
    if (!marked(link, index, HAS)) return
    link.marks[index] = (link.marks[index] ?? 0) & ~HAS
    link.hasCount--
    count(this.#holders, index, -1)
  }

  sentTo(link: Link, index: number): void {
    link.wants.delete(index)
    mark(link, index, SENT)
    this.#countSpread(link, index)
  }

  #countSpread(link: Link, index: number): void {
    if (marked(link, index, COUNTED)) return
    mark(link, index, COUNTED)
    count(this.#spread, index, 1)
  }

  askedOf(link: Link, index: number, nowMs: number): void {
    link.asked.set(index, nowMs)
    count(this.#askedOf, index, 1)
  }

  /** An ask is over: answered or given up. @returns since when it was asked */
  answered(link: Link, index: number): number | undefined {
    const sinceMs = link.asked.get(index)
    if (sinceMs === undefined) return undefined
    link.asked.delete(index)
    count(this.#askedOf, index, -1)
    return sinceMs
  }

  /** What to push to a neighbour, if anything. */
  nextPush(link: Link, fanout: number, random: RandomSource): number | undefined {
    if (!link.isNeighbour || link.hasCount === this.count) return undefined
    const start = Math.floor(random() * this.count)
    let best: number | undefined
    let least = fanout
    for (let step = 0; step < this.count && least > 0; step++) {
      const index = (start + step) % this.count
      const spread = this.#spread[index] ?? 0
      if (spread >= least || marked(link, index, HAS | SENT) || !this.holds(index)) continue
      least = spread
      best = index
    }
    return best
  }

  /** What to ask of a neighbour, if anything. @param asksMax a chunk that is asked of so many already is left out */
  nextAsk(link: Link, asksMax: number, random: RandomSource): number | undefined {
    if (link.hasCount === 0) return undefined
    const start = Math.floor(random() * this.count)
    let best: number | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (let step = 0; step < this.count && fewest > 1; step++) {
      const index = (start + step) % this.count
      if (!marked(link, index, HAS) || marked(link, index, LACKS)) continue
      if (this.holds(index) || link.asked.has(index)) continue
      if ((this.#askedOf[index] ?? 0) >= asksMax) continue
      const holders = this.#holders[index] ?? 0
      if (holders >= fewest) continue
      fewest = holders
      best = index
    }
    return best
  }

  /** The neighbours, from a random one on. */
  inTurn(random: RandomSource): Link[] {
    const links = [...this.links.values()]
    const first = Math.floor(random() * links.length)
    return [...links.slice(first), ...links.slice(0, first)]
  }

  /** Whether each chunk is with a neighbour, or on its way to one. */
  isSpread(): boolean {
    return this.#spread.every(spread => spread > 0)
  }

  /** How many answers are waited for. */
  get askedCount(): number {
    let asked = 0
    for (const link of this.links.values()) asked += link.asked.size
    return asked
  }

  /** Whether nobody here has anything that is missing. */
  isHopeless(): boolean {
    for (let index = 0; index < this.count; index++) {
      if (!this.holds(index) && this.#holders[index] !== 0) return false
    }
    return true
  }

  /** Whether each chunk that is missing is being asked for. */
  isAllAsked(): boolean {
    for (let index = 0; index < this.count; index++) {
      if (!this.holds(index) && this.#askedOf[index] === 0) return false
    }
    return true
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    const links = [...this.links.values()]
    for (let index = 0; index < this.count; index++) {
      assert.equal(this.#holders[index], links.filter(link => marked(link, index, HAS)).length)
      assert.equal(this.#spread[index], links.filter(link => marked(link, index, COUNTED)).length)
      assert.equal(this.#askedOf[index], links.filter(({ asked }) => asked.has(index)).length)
    }
    for (const { marks, hasCount } of links)
      assert.equal(hasCount, marks.filter(one => (one & HAS) !== 0).length)
    assert.equal(this.#heldCount, this.held().length)
  }
}

/** A small chunk must not keep a large frame in memory: a peer could fill frames with what nobody reads. */
function withoutBallast(chunk: Uint8Array): Uint8Array {
  return chunk.buffer.byteLength > chunk.byteLength + SLACK_BYTES ? chunk.slice() : chunk
}

function marked(link: Link, index: number, marks: number): boolean {
  return ((link.marks[index] ?? 0) & marks) !== 0
}

function mark(link: Link, index: number, marks: number): void {
  link.marks[index] = (link.marks[index] ?? 0) | marks
}

function count(counts: Uint16Array | Uint8Array, index: number, change: 1 | -1): void {
  counts[index] = (counts[index] ?? 0) + change
}
