/**
 * The naive twin of `SwarmSlots`, written from the rules in its header: one list of what runs, one of what is parked,
 * oldest first, one of what is over, and all turns ever had.
 */
import type { Admission, SwarmOffer, SwarmSlotsOptions } from '../../src/gossip/swarm-slots.ts'

type Offer = SwarmOffer<string>

interface Running {
  readonly offer: Offer
  isWhole: boolean
}

export class SwarmSlotsTwin {
  readonly #options: SwarmSlotsOptions
  #running: Running[] = []
  #parked: Offer[] = []
  readonly #over = new Set<string>()
  #turns: { readonly header: string; readonly from: string }[] = []

  constructor(options: SwarmSlotsOptions) {
    this.#options = options
  }

  get unfinished(): Offer[] {
    return this.#running.filter(({ isWhole }) => !isWhole).map(({ offer }) => offer)
  }

  get parked(): readonly Offer[] {
    return this.#parked
  }

  offer(offer: Offer): Admission {
    const { perSenderMax, perOriginMax, unfinishedMax, bytesMax, parkedPerSenderMax, parkedMax } =
      this.#options
    const here = [...this.#running.map(one => one.offer), ...this.#parked].map(({ key }) => key)
    if (here.includes(offer.key) || this.#over.has(offer.key)) return { type: 'known' }
    if (offer.head.sizeBytes > bytesMax) return { type: 'refused', reason: 'bytes' }
    if (this.#isHeaderFull(offer)) {
      this.#parked.push(offer)
      const own = this.#parked.filter(one => one.from === offer.from && headerOf(one) === headerOf(offer))
      if (own.length > parkedPerSenderMax) this.#unpark(own[0] as Offer)
      if (this.#parked.length > parkedMax) {
        const senders = [...new Set(this.#parked.map(({ from }) => from))]
        const loads = senders.map(sender => this.#parked.filter(({ from }) => from === sender).length)
        const fullest = senders[loads.indexOf(Math.max(...loads))]
        this.#unpark(this.#parked.find(({ from }) => from === fullest) as Offer)
      }
      return { type: 'parked' }
    }
    const from = this.unfinished.filter(one => one.from === offer.from).length
    const origin = this.unfinished.filter(one => one.head.origin === offer.head.origin).length
    if (from >= perSenderMax) return { type: 'refused', reason: 'sender' }
    if (origin >= perOriginMax) return { type: 'refused', reason: 'origin' }
    if (this.unfinished.length >= unfinishedMax) return { type: 'refused', reason: 'room' }
    if (bytesOf([...this.unfinished, offer]) > bytesMax) return { type: 'refused', reason: 'bytes' }
    this.#begin(offer)
    return { type: 'begin' }
  }

  complete(key: string): void {
    for (const one of this.#running) if (one.offer.key === key) one.isWhole = true
  }

  accepted(key: string): { over: string[]; begin: Offer[] } {
    const offer = this.#running.find(one => one.offer.key === key)?.offer
    const isSame = (other: Offer): boolean =>
      offer !== undefined && `${other.topic} ${other.head.id}` === `${offer.topic} ${offer.head.id}`
    const over = this.#running.map(one => one.offer).filter(isSame)
    for (const other of [...over, ...this.#parked.filter(isSame)]) this.#over.add(other.key)
    this.#running = this.#running.filter(one => !isSame(one.offer))
    this.#parked = this.#parked.filter(one => !isSame(one))
    return { over: over.map(other => other.key).filter(other => other !== key), begin: this.#beginParked() }
  }

  ended(key: string): Offer[] {
    this.#running = this.#running.filter(one => one.offer.key !== key)
    this.#parked = this.#parked.filter(one => one.key !== key)
    this.#over.add(key)
    return this.#beginParked()
  }

  stalledWithRivals(key: string): boolean {
    const before = this.#running
    const offer = before.find(one => one.offer.key === key)?.offer
    if (offer === undefined || headerOf(offer) === '') return false
    this.#running = before.filter(one => one.offer.key !== key)
    const isAwaited = this.#parked.some(one => headerOf(one) === headerOf(offer) && this.#fits(one))
    this.#running = before
    return isAwaited
  }

  #isHeaderFull(offer: Offer): boolean {
    const rivals = this.#running.map(one => one.offer).filter(one => headerOf(one) === headerOf(offer))
    if (headerOf(offer) === '') return false
    if (rivals.length >= this.#options.perHeaderMax) return true
    return rivals.some(one => one.from === offer.from || one.head.origin === offer.head.origin)
  }

  #fits(offer: Offer): boolean {
    const { perSenderMax, perOriginMax, unfinishedMax, bytesMax } = this.#options
    const all = [...this.unfinished, offer]
    return (
      !this.#isHeaderFull(offer) &&
      all.length <= unfinishedMax &&
      bytesOf(all) <= bytesMax &&
      all.filter(({ from }) => from === offer.from).length <= perSenderMax &&
      all.filter(({ head }) => head.origin === offer.head.origin).length <= perOriginMax
    )
  }

  #begin(offer: Offer): void {
    this.#unpark(offer)
    this.#running.push({ offer, isWhole: false })
    this.#turns.push({ header: headerOf(offer), from: offer.from })
  }

  #beginParked(): Offer[] {
    const begun: Offer[] = []
    for (;;) {
      const fitting = this.#parked.filter(one => this.#fits(one))
      const turns = fitting.map(
        one => this.#turns.filter(({ header, from }) => header === headerOf(one) && from === one.from).length,
      )
      const next = fitting[turns.indexOf(Math.min(...turns))]
      if (next === undefined) break
      this.#begin(next)
      begun.push(next)
    }
    const headers = [...this.#running.map(({ offer }) => offer), ...this.#parked].map(headerOf)
    this.#turns = this.#turns.filter(({ header }) => headers.includes(header))
    return begun
  }

  #unpark(offer: Offer): void {
    this.#parked = this.#parked.filter(one => one !== offer)
  }
}

function headerOf({ topic, head }: Offer): string {
  return head.header.byteLength === 0 ? '' : `${topic} ${head.header}`
}

function bytesOf(offers: readonly Offer[]): number {
  return offers.reduce((sum, { head }) => sum + head.sizeBytes, 0)
}
