/**
 * The swarms of a node under random events and neighbours that send anything: what must hold after each event, whatever
 * has come. Few peers, few chunks and two swarms, so that things collide.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Random } from '../../src/core/random.ts'
import type { MessageId } from '../../src/core/types.ts'
import type { SwarmHead } from '../../src/gossip/announcement.ts'
import { merkleTree, verifyChunk } from '../../src/gossip/merkle.ts'
import { encodeFrame, type SwarmFrame, swarmKey } from '../../src/gossip/swarm-frame.ts'
import type { SwarmPeer } from '../../src/gossip/swarm-peer.ts'
import { Swarms, type SwarmsAction, type SwarmsEvent } from '../../src/gossip/swarms.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

const CHUNK = 8_192
const COUNT = 6
/** For so long a swarm that is over is known as such, at least. */
const OVER_MS = 60_000
const PEERS = ['a', 'b', 'c']

const SWARMS = [0, 1].map(seed => {
  const payload = Uint8Array.from({ length: COUNT * CHUNK - 100 }, (_, at) => (at * (seed + 3)) % 251)
  const tree = merkleTree(payload, CHUNK)
  const head: SwarmHead = {
    id: new Uint8Array(20).fill(seed) as MessageId,
    sizeBytes: payload.byteLength,
    chunkBytes: CHUNK,
    root: tree.root,
    header: new Uint8Array(0),
    origin: 'origin',
    signature: new Uint8Array(0),
  }
  return { payload, tree, head, key: swarmKey(head) }
})

const peer = fc.constantFrom(...PEERS)
const swarm = fc.constantFrom(0, 0, 0, 1)
const index = fc.oneof(
  { weight: 40, arbitrary: fc.nat({ max: COUNT - 1 }) },
  { weight: 1, arbitrary: fc.constant(COUNT) },
)
const some = fc.oneof(fc.constant([]), fc.array(index, { maxLength: 5 }))
const event = fc.record({
  waitMs: fc.constantFrom(0, 0, 0, 1, 5, 20, 50, 300, 1_000, 6_000),
  what: fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        type: fc.constant('frame' as const),
        peer,
        swarm,
        have: some,
        ask: some,
        lack: some,
        got: some,
        complete: fc.constantFrom(false, false, false, true),
        chunk: fc.option(index),
        isWrong: fc.constantFrom(...new Array(15).fill(false), true),
      }),
    },
    { weight: 4, arbitrary: fc.constantFrom({ type: 'tick' as const }, { type: 'flush' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('begin' as const),
        swarm,
        from: fc.option(peer, { nil: undefined }),
        neighbours: fc.uniqueArray(peer),
        isOpen: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('peer' as const, 'gone' as const), peer }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('holder' as const), swarm, peer }) },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constantFrom('open' as const, 'open' as const, 'end' as const),
        swarm,
      }),
    },
  ),
})
type What = typeof event extends fc.Arbitrary<infer T extends { what: unknown }> ? T['what'] : never

/** What a swarm should be, from what was fed and sent. */
interface Model {
  readonly held: Set<number>
  /** Before this event. */
  before: ReadonlySet<number>
  isOpen: boolean
  /** What each peer gave us since we sent it a frame. */
  readonly ungot: Map<string, Set<number>>
  /** Frames that came too early are being looked at: what they give is acknowledged, too. */
  isBeginning: boolean
}

function ungotOf({ ungot }: Model, peer: string): Set<number> {
  const known = ungot.get(peer) ?? new Set()
  ungot.set(peer, known)
  return known
}

class Run {
  readonly #random = new Random('1')
  readonly #machine = new Swarms({ expireMs: 20_000 }, () => this.#random.fraction())
  readonly #models = new Map<string, Model>()
  /** Since when. */
  readonly #over = new Map<string, number>()
  readonly #peers = new Set<string>()
  /** When a chunk was sent to a peer the last time. */
  readonly #sentAtMs = new Map<string, number>()
  readonly #lost = new Set<string>()
  /** Chunks that came, as `<peer> <key> <index>`. */
  readonly #given = new Set<string>()
  /** What peers have done that they may be blamed for. */
  readonly #guilty = new Set<string>()
  nowMs = 0

  constructor() {
    for (const peer of PEERS) this.#feed({ type: 'peer', peer })
  }

  play(what: What): string[] {
    if (what.type === 'frame') return this.#frame(what)
    if (what.type === 'begin') return this.#begin(what)
    if (what.type === 'holder') return this.#feed({ type: 'holder', key: keyOf(what.swarm), peer: what.peer })
    if (what.type === 'open' || what.type === 'end') {
      const key = keyOf(what.swarm)
      const model = this.#models.get(key)
      if (what.type === 'open' && model !== undefined) model.isOpen = true
      if (what.type === 'end' && this.#models.delete(key)) this.#over.set(key, this.nowMs)
      return this.#feed({ type: what.type, key })
    }
    if (what.type === 'gone') {
      this.#peers.delete(what.peer)
      // The next connection starts anew.
      for (const name of this.#sentAtMs.keys()) if (name.startsWith(what.peer)) this.#sentAtMs.delete(name)
      for (const name of this.#lost) if (name.startsWith(what.peer)) this.#lost.delete(name)
      for (const { ungot } of this.#models.values()) ungot.delete(what.peer)
    }
    if (what.type === 'gone' || what.type === 'peer') return this.#feed({ type: what.type, peer: what.peer })
    return this.#feed({ type: what.type })
  }

  #frame(what: Extract<What, { type: 'frame' }>): string[] {
    const { key, tree, payload } = SWARMS[what.swarm] as (typeof SWARMS)[number]
    const { have, ask, lack, got, complete } = what
    const index = Math.min(what.chunk ?? 0, COUNT - 1)
    const data = payload.slice(index * CHUNK, (index + 1) * CHUNK)
    if (what.isWrong) data[0] = (data[0] ?? 0) ^ 1
    const chunk = what.chunk === null ? undefined : { index: what.chunk, data, proof: tree.proof(index) }
    const frame: SwarmFrame = { key, have, ask, lack, complete, chunk, got }
    const isMalformed = Math.max(...have, ...ask, ...lack, ...got, chunk?.index ?? 0) >= COUNT
    if (isMalformed) this.#guilty.add(`${what.peer} swarm-malformed`)
    if (chunk !== undefined && what.isWrong) this.#guilty.add(`${what.peer} swarm-chunk`)
    if (have.length + got.length > 0 || complete) this.#guilty.add(`${what.peer} swarm-stalled`)
    if (chunk !== undefined) this.#given.add(`${what.peer} ${key} ${chunk.index}`)
    const model = this.#models.get(key)
    if (model !== undefined && !isMalformed && chunk !== undefined && this.#peers.has(what.peer)) {
      // What is held is not looked at again.
      if (!what.isWrong || model.held.has(index)) ungotOf(model, what.peer).add(index)
    }
    return this.#feed({ type: 'frame', peer: what.peer, frame, sizeBytes: encodeFrame(frame).byteLength })
  }

  #begin({ swarm, from, neighbours, isOpen }: Extract<What, { type: 'begin' }>): string[] {
    const { key, head, payload } = SWARMS[swarm] as (typeof SWARMS)[number]
    // A key that is over does not begin again: `swarm-slots.ts`.
    if (this.#models.has(key) || this.#over.has(key)) return []
    const isOwn = from === undefined
    const held = new Set(isOwn ? Array.from({ length: COUNT }, (_, at) => at) : [])
    this.#models.set(key, { held, before: new Set(), isOpen, ungot: new Map(), isBeginning: true })
    const base = { type: 'begin', key, topic: 't', head, from, neighbours, isOpen } as const
    const seen = this.#feed(isOwn ? { ...base, payload } : base)
    this.#learnUngot(key)
    return seen
  }

  /** Of frames that came before their swarm began: what it has still to acknowledge is taken as it is. */
  #learnUngot(key: string): void {
    const model = this.#models.get(key) as Model
    model.isBeginning = false
    for (const { parts, links } of this.#machine.swarms()) {
      if (parts.key === key)
        for (const { peer, ungot } of links.values()) model.ungot.set(peer, new Set(ungot))
    }
  }

  #feed(event: SwarmsEvent): string[] {
    if (event.type === 'peer') this.#peers.add(event.peer)
    for (const model of this.#models.values()) model.before = new Set(model.held)
    // A window can shrink below what is under way; then nothing more may leave.
    const before = new Map([...this.#machine.peers()].map(({ id, pacing }) => [id, pacing.inFlightBytes]))
    const flights = new Map([...this.#machine.peers()].map(one => [one.id, flightsOf(one)]))
    const actions = this.#machine.handle(event, this.nowMs)
    this.#machine.check()
    for (const { key } of SWARMS.filter(({ key }) => this.#models.has(key))) this.#refresh(key)
    const seen = actions.map(action => this.#judge(action))
    for (const { id, pacing } of this.#machine.peers())
      assert.ok(pacing.inFlightBytes <= Math.max(pacing.windowBytes + CHUNK, before.get(id) ?? 0))
    for (const one of this.#machine.peers()) this.#judgeLanded(one, flights.get(one.id) ?? [], event)
    for (const { ungot } of event.type === 'flush' ? this.#models.values() : [])
      assert.ok([...ungot.values()].every(({ size }) => size === 0))
    return seen
  }

  /** What is under way stays so until it is acknowledged, or lost: whatever else the peer says. */
  #judgeLanded(peer: SwarmPeer, before: readonly string[], event: SwarmsEvent): void {
    const after = new Set(flightsOf(peer))
    const landed = before.filter(flight => !after.has(flight))
    if (event.type === 'tick') {
      for (const flight of landed)
        assert.ok(this.nowMs - (this.#sentAtMs.get(`${peer.id} ${flight}`) ?? 0) >= 5_000)
    } else if (event.type === 'frame' && event.peer === peer.id) {
      const { key, have, ask, lack, got, chunk } = event.frame
      const isMalformed = Math.max(...have, ...ask, ...lack, ...got, chunk?.index ?? 0) >= COUNT
      const isHeard = this.#models.has(key) ? !isMalformed : this.#isOver(key)
      const named = before.filter(flight => got.some(at => flight === `${key} ${at}`))
      if (isHeard) assert.deepEqual(landed, named)
      else assert.ok(landed.length === 0 || (!this.#models.has(key) && landed.length === named.length))
    } else if (event.type !== 'begin' && event.type !== 'end') assert.deepEqual(landed, [])
  }

  /** Whether the machine must still know that it is over; it may know it for longer. */
  #isOver(key: string): boolean {
    return this.nowMs - (this.#over.get(key) ?? Number.NEGATIVE_INFINITY) < OVER_MS
  }

  #refresh(key: string): void {
    const model = this.#models.get(key)
    const swarm = [...this.#machine.swarms()].find(({ parts }) => parts.key === key)
    for (const index of swarm?.held() ?? []) model?.held.add(index)
  }

  #judge(action: SwarmsAction): string {
    if (action.type === 'send') return this.#judgeSend(action.peer, action.frame)
    if (action.type === 'offence') {
      assert.ok(this.#guilty.has(`${action.peer} ${action.offence}`), `${action.peer} ${action.offence}`)
      return action.offence
    }
    if (action.type === 'complete') {
      const { payload } = SWARMS.find(({ key }) => key === action.key) as (typeof SWARMS)[number]
      assert.deepEqual(this.#machine.payloadOf(action.key), payload)
    }
    if (action.type === 'expired') {
      this.#models.delete(action.key)
      this.#over.set(action.key, this.nowMs)
    }
    return action.type
  }

  /** Each coming is acknowledged to the one that it came from, with the next frame, whatever that is for. */
  #judgeGot(model: Model, to: string, got: readonly number[]): void {
    if (model.isBeginning) return
    const ungot = ungotOf(model, to)
    assert.deepEqual(got.toSorted(), [...ungot].toSorted())
    ungot.clear()
  }

  #judgeSend(to: string, frame: SwarmFrame): string {
    assert.ok(this.#peers.has(to), 'sent to a peer that is not there')
    encodeFrame(frame)
    const model = this.#models.get(frame.key)
    if (model === undefined) {
      // It is over, or its early frames found no room or nobody who came for them.
      assert.ok(frame.lack.length > 0 || frame.got.length > 0)
      assert.deepEqual([frame.have, frame.ask, frame.chunk], [[], [], undefined])
      for (const index of frame.got) assert.ok(this.#given.has(`${to} ${frame.key} ${index}`))
      return frame.lack.length > 0 ? 'lack of what is over' : 'got of what is over'
    }
    assert.ok(frame.have.every(index => model.held.has(index)))
    assert.ok(frame.lack.every(index => !model.before.has(index)))
    assert.ok(!frame.complete || (model.isOpen && model.held.size === COUNT))
    assert.equal(new Set(frame.have).size, frame.have.length)
    this.#judgeGot(model, to, frame.got)
    if (frame.chunk === undefined)
      return frame.ask.length > 0 ? 'ask' : frame.lack.length > 0 ? 'lack' : 'tell'
    const { index, data, proof } = frame.chunk
    assert.ok(model.isOpen && model.held.has(index))
    const { head } = SWARMS.find(({ key }) => key === frame.key) as (typeof SWARMS)[number]
    assert.ok(verifyChunk({ ...head, index, chunk: data, proof }))
    const name = `${to} ${frame.key} ${index}`
    const isSoon = this.nowMs - (this.#sentAtMs.get(name) ?? -5_000) < 5_000
    // One that has got it may have lost it, once.
    assert.ok(!isSoon || !this.#lost.has(name), 'sent again too soon')
    if (isSoon) this.#lost.add(name)
    this.#sentAtMs.set(name, this.nowMs)
    return 'chunk'
  }
}

/** What is under way to a peer, each as `<key> <index>`. */
function flightsOf({ pacing }: SwarmPeer): string[] {
  const flights = SWARMS.flatMap(({ key }) =>
    Array.from({ length: COUNT }, (_, at) => ({ chunk: `${key}${at}`, name: `${key} ${at}` })),
  ).filter(({ chunk }) => pacing.isUnderWay(chunk))
  const last = `${COUNT - 1}`
  const bytes = flights.map(({ name }) => (name.endsWith(` ${last}`) ? CHUNK - 100 : CHUNK))
  assert.equal(
    bytes.reduce((sum, one) => sum + one, 0),
    pacing.inFlightBytes,
  )
  return flights.map(({ name }) => name)
}

const keyOf = (swarm: number): string => (SWARMS[swarm] as (typeof SWARMS)[number]).key

describe('the swarms of a node, whatever comes', () => {
  const happened = new Set<string>()

  it('keep their promises', () => {
    forRandomEvents(event, { runs: 150, most: 150 }, events => {
      const run = new Run()
      for (const { waitMs, what } of events) {
        run.nowMs += waitMs
        for (const one of run.play(what)) happened.add(one)
      }
    })
  })

  it('have met everything that can happen', () => {
    const rare = new Set(['swarm-stalled', 'expired'])
    assert.deepEqual([...happened].filter(one => !rare.has(one)).toSorted(), [
      'ask',
      'chunk',
      'complete',
      'got of what is over',
      'lack',
      'lack of what is over',
      'stalled',
      'swarm-chunk',
      'swarm-malformed',
      'tell',
    ])
  })
})
