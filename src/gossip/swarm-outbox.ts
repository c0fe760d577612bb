/**
 * What is sent to neighbours, and what of our chunks they have still to be told.
 *
 * Rules:
 * - Of each new chunk all neighbours are told that lack it: they neither push it back nor ask others for it. What is told is collected
 *   for a few milliseconds and goes with the next frame, whatever that is for.
 * - What is told is a promise to serve. While a swarm is not open nobody is told.
 * - The giver of a chunk gets an acknowledgement for each time that the chunk came from it (`pacing.ts`), and nobody else
 *   does: a chunk that came from somebody else says nothing about the way from this one.
 * - A neighbour that has been told nothing gets a frame with a key alone: it may tell us what it has.
 * - What waits is bounded: a chunk waits once for each neighbour, however often it came.
 */
import type { PeerId } from '../core/types.ts'
import type { Link, Swarm } from './swarm.ts'
import type { SwarmFrame } from './swarm-frame.ts'

export interface SwarmSend {
  readonly type: 'send'
  readonly peer: PeerId
  readonly frame: SwarmFrame
}

const NONE: readonly number[] = []

export class SwarmOutbox {
  readonly #emit: (send: SwarmSend) => void
  /** Swarms with neighbours that have not been told something. */
  readonly #untold = new Set<Swarm>()

  /** @param emit is called in the order of sending, within the calls of this class */
  constructor(emit: (send: SwarmSend) => void) {
    this.#emit = emit
  }

  /** Whether `flush` has something to send. */
  get hasUntold(): boolean {
    return this.#untold.size > 0
  }

  /** Tells of a new chunk. */
  tellOfNew(swarm: Swarm, giver: Link, index: number): void {
    this.acknowledge(swarm, giver, index)
    if (!swarm.isOpen) return
    for (const link of swarm.links.values()) {
      // Who has it as well neither asks for it nor, as a rule, pushes it any more; but all are told when all is there.
      if (link !== giver && (swarm.isComplete || !swarm.isHeldBy(link, index))) this.tell(swarm, link, index)
    }
  }

  /** Tells the giver of a chunk that it came. */
  acknowledge(swarm: Swarm, giver: Link, index: number): void {
    giver.ungot.add(index)
    this.#untold.add(swarm)
  }

  /** Tells a neighbour of a chunk, with the next frame. */
  tell(swarm: Swarm, link: Link, index: number): void {
    link.untold.add(index)
    this.#untold.add(swarm)
  }

  /** Tells a neighbour of all chunks that are held; of none, if none may leave. */
  tellAll(swarm: Swarm, link: Link): void {
    link.isTold = false
    if (swarm.isOpen) link.untold = new Set(swarm.held())
    this.#untold.add(swarm)
  }

  /** Sends what has not been told. */
  flush(): void {
    for (const swarm of this.#untold) {
      for (const link of swarm.links.values()) {
        if (link.untold.size > 0 || link.ungot.size > 0 || !link.isTold) this.send(swarm, link, {})
      }
    }
    this.#untold.clear()
  }

  /** Sends a frame, and with it what the neighbour has not been told. */
  send(swarm: Swarm, link: Link, parts: Partial<SwarmFrame>): void {
    const complete = swarm.isComplete && swarm.isOpen && link.untold.size > 0
    const have = complete || link.untold.size === 0 ? NONE : [...link.untold]
    const got = link.ungot.size === 0 ? NONE : [...link.ungot]
    link.untold.clear()
    link.ungot.clear()
    link.isTold = true
    const { ask = NONE, lack = NONE, chunk } = parts
    const frame = { key: swarm.parts.key, have, complete, ask, lack, chunk, got }
    this.#emit({ type: 'send', peer: link.peer, frame })
  }

  /** The swarm is over. What came of it is still acknowledged: its givers wait for that, also with other swarms. */
  leave(swarm: Swarm): void {
    if (!this.#untold.delete(swarm)) return
    for (const { peer, ungot } of swarm.links.values()) {
      if (ungot.size === 0) continue
      const quiet = { have: NONE, complete: false, ask: NONE, lack: NONE, chunk: undefined }
      this.#emit({ type: 'send', peer, frame: { key: swarm.parts.key, ...quiet, got: [...ungot] } })
    }
  }
}
