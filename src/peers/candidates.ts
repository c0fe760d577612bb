/**
 * Candidates: a pure machine's choice of whom to dial next, for each purpose (`pick.ts` has the draws and pauses).
 *
 * Rules:
 * - Nobody is dialled who is connected or being dialled, whose pause runs, or whom `mayDial` forbids; except for a
 *   feeler, nobody in a group that is taken.
 * - A place is filled by a draw from the book, or if none fits by one that we lost or missed and whose pause is over.
 * - A feeler goes to the occupant of a `tried` place that another address wants, or else to an address of `new`.
 * - A rotation goes to a group that it has not tried for 10 minutes (`worn.ts`).
 */
import type { Endpoint, Group } from '../core/endpoint.ts'
import type { RandomSource } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import { type DialBook, Pauses, pick } from './pick.ts'
import type { Places } from './places.ts'
import { Worn } from './worn.ts'

export interface CandidatesParts {
  readonly book: DialBook
  readonly random: RandomSource
  readonly places: Places
  readonly mayDial: (endpoint: Endpoint) => boolean
  /** Undefined where no rule of groups holds. */
  readonly groupOf: (endpoint: Endpoint) => Group | undefined
}

/** An endpoint, and who was reached there last. */
interface Known {
  readonly endpoint: Endpoint
  readonly peer: PeerId | undefined
}

export class Candidates {
  readonly #parts: CandidatesParts
  readonly pauses: Pauses
  readonly #worn = new Worn()

  constructor(parts: CandidatesParts) {
    this.#parts = parts
    this.pauses = new Pauses(parts.random)
  }

  fits(known: Known, nowMs: number): boolean {
    const { places, groupOf } = this.#parts
    return this.#isFree(known, nowMs) && !places.isGroupTaken(groupOf(known.endpoint))
  }

  forPlace(nowMs: number, wallMs: number): Endpoint | undefined {
    const { book } = this.#parts
    const drawn = pick(book, {}, info => this.fits(info, nowMs), wallMs)
    if (drawn !== undefined) return drawn
    for (const endpoint of this.pauses.due(nowMs)) {
      const info = book.get(endpoint)
      if (info !== undefined && this.fits(info, nowMs)) return endpoint
    }
    return undefined
  }

  /** The group is worn from now on. */
  forRotation(nowMs: number, wallMs: number): Endpoint | undefined {
    const isFresh = (known: Known): boolean =>
      !this.#worn.has(this.#keyOf(known.endpoint), nowMs) && this.fits(known, nowMs)
    const endpoint = pick(this.#parts.book, {}, isFresh, wallMs)
    if (endpoint !== undefined) this.wear(endpoint, nowMs)
    return endpoint
  }

  /** Rotation leaves the group of an endpoint alone for a while. */
  wear(endpoint: Endpoint, nowMs: number): void {
    this.#worn.add(this.#keyOf(endpoint), nowMs)
  }

  forFeeler(nowMs: number, wallMs: number): Endpoint | undefined {
    const occupant = this.#occupant(wallMs)
    return occupant ?? pick(this.#parts.book, { newOnly: true }, info => this.#isFree(info, nowMs), wallMs)
  }

  check(): void {
    this.pauses.check()
    this.#worn.check()
  }

  #occupant(wallMs: number): Endpoint | undefined {
    const { book, places, mayDial } = this.#parts
    const endpoint = book.selectCollision(wallMs)?.endpoint
    if (endpoint === undefined || places.isDialling(endpoint) || !mayDial(endpoint)) return undefined
    const place = places.at(endpoint)
    if (place === undefined) return endpoint
    // It was reached and is still there: that is the test.
    book.good(endpoint, place.peer, wallMs)
    return undefined
  }

  #isFree({ endpoint, peer }: Known, nowMs: number): boolean {
    const { places, mayDial } = this.#parts
    return !places.isTaken(endpoint, peer) && !this.pauses.isPaused(endpoint, nowMs) && mayDial(endpoint)
  }

  #keyOf(endpoint: Endpoint): string {
    return this.#parts.groupOf(endpoint) ?? endpoint
  }
}
