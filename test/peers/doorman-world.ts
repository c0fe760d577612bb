/**
 * Two nodes, A and B, each with a doorman, and the sockets between them in virtual time: who opens and closes what, and
 * what the other side gets to know of it when. As with real ones,
 * - the dialler is done with the handshake first (after two ways of the socket), the other side one way later, and the
 *   connection is open on each side another two ways later;
 * - whoever refuses or cuts a socket closes its own end at once, and the other end follows one way later, in order;
 * - a ping waits for a socket that is open, and is answered when its other end is open too. One whose socket closes is
 *   not, and one that is left hanging is not after two seconds.
 */
import assert from 'node:assert/strict'
import type { DropReason } from '../../src/core/drops.ts'
import type { SocketId } from '../../src/core/ports.ts'
import type { Direction } from '../../src/core/types.ts'
import { Admission } from '../../src/peers/admission.ts'
import { Bans } from '../../src/peers/bans.ts'
import { Discouraged } from '../../src/peers/discouraged.ts'
import { PeersDoorman } from '../../src/peers/doorman.ts'
import { settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'

export type Name = 'A' | 'B'

/** `rank` says which of two sockets comes first where something happens to both at one moment. */
export interface Dial {
  readonly from: Name
  readonly atMs: number
  /** One way. */
  readonly delayMs: number
  readonly rank: number
}

/** What may be one way or the other on real sockets. */
export interface Manners {
  /** Whether all that happens at one moment happens before a promise is heard of. */
  readonly isHasty: boolean
  /** Whether the doorman is told of a socket that he cuts while he does, or a little later. */
  readonly isCutTold: boolean
}

interface End {
  readonly socket: SocketId
  state: 'coming' | 'asking' | 'held' | 'open' | 'closed'
  /** Whether the doorman knows the socket. */
  isKnown: boolean
  /** What waits for it to open, and for it to close. */
  readonly onOpen: (() => void)[]
  readonly onClose: (() => void)[]
}

interface Wire extends Dial {
  readonly ends: Readonly<Record<Name, End>>
}

interface Happening {
  readonly atMs: number
  readonly rank: number
  readonly turn: number
  readonly run: () => void
}

interface Node {
  readonly doorman: PeersDoorman
  readonly admission: Admission
  readonly refused: [reason: DropReason, direction: Direction][]
}

/** How long a peer may take to answer, and how often it is looked whether its connection is open by now. */
const ANSWER_TIMEOUT_MS = 2_000
const LOOK_MS = 50

export class DoormanWorld {
  readonly clock = new VirtualClock()
  readonly #manners: Manners
  readonly #nodes: Record<Name, Node>
  #wires: Wire[] = []
  #happenings: Happening[] = []
  #turns = 0
  #sockets = 0

  constructor(manners: Manners) {
    this.#manners = manners
    this.#nodes = { A: this.#newNode('A'), B: this.#newNode('B') }
  }

  /** Why and which of its own sockets a node has refused or ended. */
  refused(name: Name): [reason: DropReason, direction: Direction][] {
    return this.#nodes[name].refused
  }

  /** To be dialled in the run to come. */
  dial(dial: Dial): void {
    const { from, atMs, delayMs, rank } = dial
    const wire: Wire = { ...dial, ends: { A: this.#newEnd(), B: this.#newEnd() } }
    this.#wires.push(wire)
    this.#at(atMs + delayMs, rank, () => {
      const end = wire.ends[other(from)]
      if (end.state === 'closed') return
      end.isKnown = true
      assert.equal(this.#nodes[other(from)].doorman.accept(end.socket, ipOf(from)), undefined)
    })
    this.#at(atMs + 2 * delayMs, rank, () => {
      // The last word of the handshake leaves before the doorman is asked.
      this.#after(wire, () => this.#authenticate(wire, other(from)))
      this.#authenticate(wire, from)
    })
  }

  /** A node dies without a word, and a new one with its name and key begins. */
  crash(name: Name): void {
    for (const { ends } of this.#wires) ends[name].state = 'closed'
    this.#happenings = []
    this.#nodes[name] = this.#newNode(name)
  }

  /** Until nothing more happens. */
  async run(): Promise<void> {
    for (;;) {
      let next = this.#next()
      if (next === undefined || next.atMs > this.clock.nowMs() || !this.#manners.isHasty) {
        await settleMicrotasks()
        next = this.#next()
      }
      if (next === undefined) return
      this.#happenings.splice(this.#happenings.indexOf(next), 1)
      this.clock.advance(Math.max(0, next.atMs - this.clock.nowMs()))
      next.run()
      for (const { doorman, admission } of Object.values(this.#nodes)) {
        doorman.check()
        admission.check()
      }
    }
  }

  /** How many sockets are open at both ends, and at one end only. */
  open(): { both: number; one: number } {
    const ends = this.#wires.map(
      ({ ends: { A, B } }) => [A, B].filter(({ state }) => state === 'open').length,
    )
    return { both: ends.filter(count => count === 2).length, one: ends.filter(count => count === 1).length }
  }

  /** That the doormen know of nothing but the sockets that are open. */
  checkTidy(): void {
    for (const name of ['A', 'B'] as const) {
      const { doorman, admission } = this.#nodes[name]
      const open = this.#wires.filter(({ ends }) => ends[name].state === 'open')
      assert.equal(doorman.size, open.length)
      assert.equal(admission.size, open.filter(({ from }) => from !== name).length)
    }
  }

  #newNode(self: Name): Node {
    const admission = new Admission({
      pendingPerIp: 100,
      pendingMax: 100,
      connectionsPerIp: 100,
      connectionsPerGroup: 100,
      groupRules: 'all',
    })
    const refused: Node['refused'] = []
    const doorman = new PeersDoorman({
      self,
      clock: this.clock,
      admission,
      bans: new Bans(),
      discouraged: new Discouraged({ groupRules: 'all' }),
      isCrowded: () => false,
      hints: () => 0,
      answers: () => this.#answers(self),
      cut: socket => this.#cut(self, socket),
      refused: (reason, direction) => refused.push([reason, direction]),
    })
    return { doorman, admission, refused }
  }

  #newEnd(): End {
    return { socket: ++this.#sockets, state: 'coming', isKnown: false, onOpen: [], onClose: [] }
  }

  #authenticate(wire: Wire, name: Name): void {
    const end = wire.ends[name]
    if (end.state !== 'coming') return
    const { doorman } = this.#nodes[name]
    end.state = 'asking'
    end.isKnown = true
    const direction = name === wire.from ? 'outbound' : 'inbound'
    const peer = other(name)
    const asked = doorman.authenticated({
      socket: end.socket,
      peer,
      address: `/ip4/${ipOf(peer)}/tcp/1`,
      direction,
    })
    void asked.then(reason => {
      if (end.state !== 'asking') return
      if (reason !== undefined) return this.#close(wire, name)
      end.state = 'held'
      this.#at(this.clock.nowMs() + 2 * wire.delayMs, wire.rank, () => this.#open(end))
    })
  }

  #open(end: End): void {
    if (end.state !== 'held') return
    end.state = 'open'
    for (const tell of end.onOpen.splice(0)) tell()
  }

  #close(wire: Wire, name: Name): void {
    const end = wire.ends[name]
    if (end.state === 'closed') return
    end.state = 'closed'
    if (end.isKnown) this.#nodes[name].doorman.closed(end.socket)
    for (const tell of end.onClose.splice(0)) tell()
    this.#after(wire, () => this.#close(wire, other(name)))
  }

  #cut(name: Name, socket: SocketId): void {
    const wire = this.#wires.find(({ ends }) => ends[name].socket === socket)
    assert.ok(wire !== undefined)
    if (this.#manners.isCutTold) this.#close(wire, name)
    else this.#at(this.clock.nowMs(), wire.rank, () => this.#close(wire, name))
  }

  #answers(name: Name): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const lateMs = this.clock.nowMs() + ANSWER_TIMEOUT_MS
    this.#at(lateMs, 0, () => resolve(false))
    const ping = (): void => {
      const wire = this.#wires.find(({ ends }) => ends[name].state === 'open')
      if (wire !== undefined) this.#ping(wire, name, resolve)
      else if (this.clock.nowMs() < lateMs) this.#at(this.clock.nowMs() + LOOK_MS, 0, ping)
    }
    ping()
    return promise
  }

  #ping(wire: Wire, name: Name, tell: (isAlive: boolean) => void): void {
    const there = wire.ends[other(name)]
    wire.ends[name].onClose.push(() => tell(false))
    const answer = (): void => this.#after(wire, () => tell(true))
    this.#after(wire, () => {
      if (there.state === 'open') answer()
      else if (there.state !== 'closed') there.onOpen.push(answer)
    })
  }

  /** One way of a socket later. */
  #after({ delayMs, rank }: Wire, run: () => void): void {
    this.#at(this.clock.nowMs() + delayMs, rank, run)
  }

  #at(atMs: number, rank: number, run: () => void): void {
    this.#happenings.push({ atMs, rank, turn: this.#turns++, run })
  }

  #next(): Happening | undefined {
    return this.#happenings.toSorted((a, b) => a.atMs - b.atMs || a.rank - b.rank || a.turn - b.turn)[0]
  }
}

function other(name: Name): Name {
  return name === 'A' ? 'B' : 'A'
}

function ipOf(name: Name): string {
  return name === 'A' ? '60.1.0.1' : '60.2.0.1'
}
