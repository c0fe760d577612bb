/**
 * The swarms of a node: a pure machine that decides which chunk goes to whom, and when.
 *
 *   begin → (chunks come) → complete → end
 *              open: chunks may leave
 *
 * It joins what a swarm knows (`swarm.ts`), what is asked of whom (`swarm-asking.ts`), what is given to whom
 * (`swarm-giving.ts`), what is told (`swarm-outbox.ts`) and what is known of peers (`swarm-peer.ts`), each with its rules.
 *
 * Rules (design, section 5; each with what it answers):
 * - Frames of a swarm that has not begun are kept for a while (`swarm-early.ts`). Those of a swarm that is over are not:
 *   what they ask for is answered with a lack, since who has declared chunks and is silent would be blamed for it.
 * - A swarm without `isOpen` asks but gives nothing: nobody has accepted it yet.
 * - The origin does not say what it has until each chunk has left once and had time to be passed on: its neighbours would
 *   all ask it for the same ones. Then it does: a neighbour that keeps its chunks to itself would end the swarm.
 * - A chunk that does not lead to the root blames its sender, and nothing more is asked of that one.
 * - A swarm that got nothing for `STALL_MS` has `stalled`, and is so again each `STALL_AGAIN_MS`: the caller can name
 *   further holders (`holder`). Neighbours that have said nothing are greeted again: one that began before it knew us
 *   has never told us what it has, and what one told us before we began is lost; so who is greeted says it again, every
 *   `STALL_AGAIN_MS / 2` at most. After `expireMs` it ends.
 * - Which swarms may begin is decided before (`swarm-slots.ts`); what a peer can add to one is a link, a byte for each
 *   chunk. A swarm that is over is remembered for a while, at most `OVER_MAX` of them.
 */
import assert from 'node:assert/strict'
import type { Offence } from '../core/offences.ts'
import type { RandomSource } from '../core/ports.ts'
import { Seen } from '../core/seen.ts'
import type { PeerId, Topic, Transfer } from '../core/types.ts'
import type { SwarmHead } from './announcement.ts'
import { type Link, Swarm, type SwarmKey } from './swarm.ts'
import { type AskingCounts, SwarmAsking } from './swarm-asking.ts'
import type { SwarmChunk, SwarmFrame } from './swarm-frame.ts'
import { type GivingCounts, SwarmGiving } from './swarm-giving.ts'
import { SwarmOutbox, type SwarmSend } from './swarm-outbox.ts'
import { SwarmPeer } from './swarm-peer.ts'

export interface SwarmsOptions {
  /** A swarm that gets nothing for so long ends. */
  readonly expireMs: number
  /** Told of each chunk that is new; for those who look on. */
  readonly onTransfer?: ((transfer: Transfer) => void) | undefined
}

export type SwarmsEvent =
  /** Frames can be sent to a peer. */
  | { type: 'peer'; peer: PeerId }
  | { type: 'gone'; peer: PeerId }
  /** @param neighbours the mesh; those without a channel are left out */
  | {
      type: 'begin'
      key: SwarmKey
      topic: Topic
      head: SwarmHead
      from: PeerId | undefined
      payload?: Uint8Array
      neighbours: readonly PeerId[]
      isOpen: boolean
    }
  /** A further peer that knows the swarm. */
  | { type: 'holder'; key: SwarmKey; peer: PeerId }
  | { type: 'open'; key: SwarmKey }
  | { type: 'end'; key: SwarmKey }
  | { type: 'frame'; peer: PeerId; frame: SwarmFrame; sizeBytes: number }
  /** What neighbours have not been told is due; `hasUntold` says whether it is to be called, a few ms later. */
  | { type: 'flush' }
  | { type: 'tick' }

export type SwarmsAction =
  | SwarmSend
  /** All chunks are there: `payloadOf(key)`. */
  | { type: 'complete'; key: SwarmKey }
  /** Nothing has come for so long. `isHopeless`: no neighbour has anything that is missing. */
  | { type: 'stalled'; key: SwarmKey; idleMs: number; isHopeless: boolean }
  | { type: 'expired'; key: SwarmKey; topic: Topic; head: SwarmHead; from: PeerId | undefined; held: number }
  | { type: 'offence'; peer: PeerId; offence: Offence; detail: string }

const FLUSH_MIN_MS = 4
const FLUSH_MAX_MS = 24
const STALL_MS = 1_500
const STALL_AGAIN_MS = 500

/** How long chunks of ours have to be passed on before we say that we have them all. */
const DECLARE_AFTER_MS = 300

/** How long a swarm that is over is known as such, at least; longer than asks are waited for. */
const OVER_MS = 60_000
const OVER_MAX = 2_048

/** What has happened since the start; for metrics. */
export interface SwarmCounts extends AskingCounts, GivingCounts {
  chunksReceived: number
  /** Chunks that were there already. */
  chunksUnwanted: number
  chunksWrong: number
  /** Frames for which there was no room before their swarm began. */
  earlyDropped: number
}

export class Swarms {
  readonly #options: SwarmsOptions
  readonly #swarms = new Map<SwarmKey, Swarm>()
  readonly #peers = new Map<PeerId, SwarmPeer>()
  readonly #over = new Seen({ ttlMs: OVER_MS, max: OVER_MAX })
  readonly #outbox = new SwarmOutbox(send => this.#actions.push(send))
  readonly #asking: SwarmAsking
  readonly #giving: SwarmGiving
  #actions: SwarmsAction[] = []
  readonly #counts = { chunksReceived: 0, chunksUnwanted: 0, chunksWrong: 0, earlyDropped: 0 }

  constructor(options: SwarmsOptions, random: RandomSource) {
    this.#options = options
    this.#asking = new SwarmAsking(this.#peers, this.#outbox, random)
    this.#giving = new SwarmGiving(this.#swarms, this.#peers, this.#outbox, random)
  }

  /** A copy. */
  get counts(): SwarmCounts {
    return { ...this.#counts, ...this.#asking.counts, ...this.#giving.counts }
  }

  /** Whether `flush` is due, a few milliseconds from now. */
  get hasUntold(): boolean {
    return this.#outbox.hasUntold
  }

  /** How long what is to be told may be gathered: a small part of the shortest way. Frames cost more than their content. */
  get flushAfterMs(): number {
    let shortestMs = Number.POSITIVE_INFINITY
    for (const { pacing } of this.#peers.values())
      shortestMs = Math.min(shortestMs, pacing.baseMs ?? shortestMs)
    return Math.min(FLUSH_MAX_MS, Math.max(FLUSH_MIN_MS, shortestMs / 8))
  }

  get size(): number {
    return this.#swarms.size
  }

  /** For those who look on; not to be changed. */
  swarms(): Iterable<Swarm> {
    return this.#swarms.values()
  }

  /** For those who look on; not to be changed. */
  peers(): Iterable<SwarmPeer> {
    return this.#peers.values()
  }

  has(key: SwarmKey): boolean {
    return this.#swarms.has(key)
  }

  /** What was put together, once `complete` was told. Shared with what is sent. */
  payloadOf(key: SwarmKey): Uint8Array | undefined {
    const swarm = this.#swarms.get(key)
    return swarm?.isComplete === true ? swarm.payload() : undefined
  }

  /** The windows of all peers, in bytes. */
  windows(): number[] {
    return [...this.#peers.values()].map(({ pacing }) => pacing.windowBytes)
  }

  handle(event: SwarmsEvent, nowMs: number): SwarmsAction[] {
    this.#actions = []
    switch (event.type) {
      case 'peer':
        if (!this.#peers.has(event.peer)) this.#peers.set(event.peer, new SwarmPeer(event.peer))
        break
      case 'gone':
        this.#onGone(event.peer, nowMs)
        break
      case 'begin':
        this.#onBegin(event, nowMs)
        break
      case 'holder':
        this.#onHolder(event.key, event.peer)
        break
      case 'open':
        this.#onOpen(event.key, nowMs)
        break
      case 'end':
        this.#end(event.key, nowMs)
        break
      case 'frame':
        this.#onFrame(event, nowMs)
        break
      case 'flush':
        this.#outbox.flush()
        break
      case 'tick':
        this.#onTick(nowMs)
        break
      default:
        event satisfies never
    }
    return this.#actions
  }

  #onBegin(event: Extract<SwarmsEvent, { type: 'begin' }>, nowMs: number): void {
    const { key, topic, head, from, payload, neighbours, isOpen } = event
    assert.ok(!this.#swarms.has(key), 'a swarm begins twice')
    const swarm = new Swarm({ key, topic, head, from }, payload, nowMs)
    swarm.isOpen = isOpen
    this.#swarms.set(key, swarm)
    this.#over.forget(key)
    for (const peer of neighbours) if (this.#peers.has(peer)) swarm.link(peer, true)
    if (from !== undefined && !neighbours.includes(from)) this.#onHolder(key, from)
    for (const peer of this.#peers.values()) {
      for (const frame of peer.early.take(key)) this.#onKnown(swarm, peer, frame, nowMs)
    }
    if (isOpen) this.#giving.pumpSwarm(swarm, nowMs)
  }

  #onHolder(key: SwarmKey, id: PeerId): void {
    const swarm = this.#swarms.get(key)
    if (swarm === undefined || !this.#peers.has(id)) return
    // One that is linked and has told us nothing may have begun before it knew us.
    if ((swarm.links.get(id)?.hasCount ?? 0) === 0) this.#outbox.tellAll(swarm, swarm.link(id, false))
  }

  #onOpen(key: SwarmKey, nowMs: number): void {
    const swarm = this.#swarms.get(key)
    if (swarm === undefined || swarm.isOpen) return
    swarm.isOpen = true
    for (const link of swarm.links.values()) this.#outbox.tellAll(swarm, link)
    this.#giving.pumpSwarm(swarm, nowMs)
  }

  /** Also for one that never began: what came of it is let go. */
  #end(key: SwarmKey, nowMs: number): void {
    const swarm = this.#swarms.get(key)
    this.#over.add(key, nowMs)
    if (swarm !== undefined) {
      this.#swarms.delete(key)
      this.#outbox.leave(swarm)
      return
    }
    for (const peer of this.#peers.values()) {
      for (const frame of peer.early.take(key)) this.#onOver(peer, frame, nowMs)
    }
  }

  #onGone(id: PeerId, nowMs: number): void {
    this.#peers.delete(id)
    for (const swarm of this.#swarms.values()) {
      swarm.unlink(id)
      this.#asking.askAll(swarm, nowMs)
    }
  }

  #onFrame({ peer: id, frame, sizeBytes }: Extract<SwarmsEvent, { type: 'frame' }>, nowMs: number): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    const swarm = this.#swarms.get(frame.key)
    if (swarm !== undefined) this.#onKnown(swarm, peer, frame, nowMs)
    else if (this.#over.has(frame.key, nowMs)) this.#onOver(peer, frame, nowMs)
    else if (!peer.early.keep(frame, sizeBytes, nowMs)) {
      this.#counts.earlyDropped++
      this.#onOver(peer, frame, nowMs)
    }
  }

  /** Nothing of it is wanted, but what arrives is acknowledged: it would hold up the sender's other swarms. */
  #onOver(peer: SwarmPeer, { key, got, ask, chunk }: SwarmFrame, nowMs: number): void {
    this.#giving.arrived(key, peer, got, nowMs)
    if (ask.length === 0 && chunk === undefined) return
    const arrived = chunk === undefined ? [] : [chunk.index]
    const frame = { key, have: [], complete: false, ask: [], lack: ask, chunk: undefined, got: arrived }
    this.#actions.push({ type: 'send', peer: peer.id, frame })
  }

  #onKnown(swarm: Swarm, peer: SwarmPeer, frame: SwarmFrame, nowMs: number): void {
    const { have, complete, ask, lack, chunk, got } = frame
    const highest = Math.max(-1, ...have, ...got, ...ask, ...lack, chunk?.index ?? -1)
    if (highest >= swarm.count)
      return this.#blame(peer.id, 'swarm-malformed', `chunk ${highest} of ${swarm.count}`)
    let link = swarm.links.get(peer.id)
    if (link === undefined) {
      link = swarm.link(peer.id, false)
      this.#outbox.tellAll(swarm, link)
    } else if (isGreeting(frame)) this.#tellAnew(swarm, link, nowMs)
    if (chunk !== undefined) this.#onChunk(swarm, link, peer, chunk, nowMs)
    this.#giving.arrived(swarm.parts.key, peer, got, nowMs)
    for (const index of got) swarm.heardOf(link, index)
    for (const index of have) swarm.heardOf(link, index)
    // Once is enough: it is a short frame that makes us look at each chunk.
    if (complete && link.hasCount < swarm.count) {
      for (let index = 0; index < swarm.count; index++) swarm.heardOf(link, index)
    }
    for (const index of lack) this.#asking.lacks(swarm, link, index)
    // What the same frame says that it has, it does not want.
    const wanted = complete ? [] : ask.filter(index => !got.includes(index) && !have.includes(index))
    if (wanted.length > 0) this.#giving.wanted(swarm, link, wanted)
    this.#asking.askAll(swarm, nowMs)
    this.#giving.pumpPeer(peer, nowMs)
  }

  /** What it was told before may have come before it began, and is lost. */
  #tellAnew(swarm: Swarm, link: Link, nowMs: number): void {
    const isOrigin = swarm.parts.from === undefined
    if (!swarm.isOpen || swarm.heldCount === 0 || (isOrigin && !swarm.isDeclared)) return
    if (nowMs - link.retoldAtMs < STALL_AGAIN_MS / 2) return
    link.retoldAtMs = nowMs
    this.#outbox.tellAll(swarm, link)
  }

  #onChunk(swarm: Swarm, link: Link, peer: SwarmPeer, chunk: SwarmChunk, nowMs: number): void {
    const { index, data, proof } = chunk
    const askedAtMs = swarm.answered(link, index)
    const taken = swarm.take(index, data, proof, nowMs)
    if (taken === 'wrong') {
      this.#counts.chunksWrong++
      this.#asking.bar(swarm, link)
      return this.#blame(peer.id, 'swarm-chunk', `chunk ${index} does not belong to the root`)
    }
    this.#asking.gave(link, peer, askedAtMs, nowMs)
    swarm.heardOf(link, index, true)
    if (taken === 'known') {
      this.#counts.chunksUnwanted++
      return this.#outbox.acknowledge(swarm, link, index)
    }
    this.#counts.chunksReceived++
    const { topic, head } = swarm.parts
    const sizeBytes = data.byteLength
    this.#options.onTransfer?.({ topic, id: head.id, index, count: swarm.count, from: peer.id, sizeBytes })
    this.#outbox.tellOfNew(swarm, link, index)
    if (swarm.isComplete) this.#onComplete(swarm)
    if (swarm.isOpen) this.#giving.pumpSwarm(swarm, nowMs)
  }

  #onComplete(swarm: Swarm): void {
    for (const link of swarm.links.values())
      for (const asked of [...link.asked.keys()]) swarm.answered(link, asked)
    this.#actions.push({ type: 'complete', key: swarm.parts.key })
  }

  #onTick(nowMs: number): void {
    for (const peer of this.#peers.values()) {
      peer.pacing.tick(nowMs)
      for (const frame of peer.early.tick(nowMs)) this.#onOver(peer, frame, nowMs)
    }
    for (const swarm of [...this.#swarms.values()]) {
      if (swarm.isComplete) {
        this.#declare(swarm, nowMs)
        continue
      }
      const idleMs = nowMs - swarm.progressAtMs
      if (idleMs >= this.#options.expireMs) this.#expire(swarm, nowMs)
      else this.#remind(swarm, idleMs, nowMs)
    }
    for (const peer of this.#peers.values()) this.#giving.pumpPeer(peer, nowMs)
  }

  /** Once each chunk of ours is on its way, the neighbours may ask for it: the one to whom it went may keep it. */
  #declare(swarm: Swarm, nowMs: number): void {
    if (swarm.isDeclared || swarm.parts.from !== undefined || !swarm.isOpen || !swarm.isSpread()) return
    swarm.spreadAtMs ??= nowMs
    if (nowMs - swarm.spreadAtMs < DECLARE_AFTER_MS) return
    swarm.isDeclared = true
    for (const link of swarm.links.values()) this.#outbox.tellAll(swarm, link)
  }

  #expire(swarm: Swarm, nowMs: number): void {
    const { key, topic, head, from } = swarm.parts
    this.#end(key, nowMs)
    this.#actions.push({ type: 'expired', key, topic, head, from, held: swarm.heldCount })
  }

  #remind(swarm: Swarm, idleMs: number, nowMs: number): void {
    for (const peer of this.#asking.remind(swarm, nowMs))
      this.#blame(peer, 'swarm-stalled', 'chunks that it said it had did not come')
    if (idleMs < STALL_MS || nowMs - swarm.stalledAtMs < STALL_AGAIN_MS) return
    swarm.stalledAtMs = nowMs
    for (const link of swarm.links.values()) if (link.hasCount === 0) this.#outbox.tellAll(swarm, link)
    this.#actions.push({ type: 'stalled', key: swarm.parts.key, idleMs, isHopeless: swarm.isHopeless() })
  }

  #blame(peer: PeerId, offence: Offence, detail: string): void {
    this.#actions.push({ type: 'offence', peer, offence, detail })
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    for (const { pacing, early } of this.#peers.values()) {
      pacing.check()
      early.check()
    }
    for (const swarm of this.#swarms.values()) {
      swarm.check()
      for (const peer of swarm.links.keys()) assert.ok(this.#peers.has(peer), 'a link without a peer')
    }
  }
}

/** Whether a frame says nothing but that its sender knows the swarm. */
function isGreeting({ have, complete, ask, lack, chunk, got }: SwarmFrame): boolean {
  return !complete && chunk === undefined && have.length + ask.length + lack.length + got.length === 0
}
