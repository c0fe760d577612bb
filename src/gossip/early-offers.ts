/**
 * Announcements that came before we could ask for them: a peer that was done with the handshake first has opened its
 * channel and sent all that it offers, while ours towards it still opens.
 *
 * Rules:
 * - Each of the two protocols has a channel of its own, so what waits for one does not wait for the other.
 * - Of one peer at most `KEPT_MAX` are kept, the newest is dropped: enough for 10,000 ids and some swarms.
 * - Only of peers that were added, until they are removed: there are as many as connections.
 */
import type { PeerId, Topic } from '../core/types.ts'
import type { Announcement } from './announcement.ts'

type Kind = Announcement['type']

/** Of 256 ids, or one head. */
const KEPT_MAX = 48

export interface EarlyOffer {
  readonly topic: Topic
  readonly content: Announcement
}

interface Waiting {
  /** To which our channel is open. */
  readonly open: Set<Kind>
  kept: EarlyOffer[]
}

export class EarlyOffers {
  readonly #peers = new Map<PeerId, Waiting>()

  add(peer: PeerId): void {
    if (!this.#peers.has(peer)) this.#peers.set(peer, { open: new Set(), kept: [] })
  }

  remove(peer: PeerId): void {
    this.#peers.delete(peer)
  }

  /** How many are kept of a peer. */
  count(peer: PeerId): number {
    return this.#peers.get(peer)?.kept.length ?? 0
  }

  /** @returns whether it came too early; then it is kept, if there is room */
  keep(peer: PeerId, topic: Topic, content: Announcement): boolean {
    const waiting = this.#peers.get(peer)
    if (waiting === undefined || waiting.open.has(content.type)) return false
    if (waiting.kept.length < KEPT_MAX) waiting.kept.push({ topic, content })
    return true
  }

  /** Our channel is open. @returns what has waited for it, oldest first */
  open(peer: PeerId, kind: Kind): readonly EarlyOffer[] {
    const waiting = this.#peers.get(peer)
    if (waiting === undefined) return []
    waiting.open.add(kind)
    const due = waiting.kept.filter(({ content }) => content.type === kind)
    waiting.kept = waiting.kept.filter(({ content }) => content.type !== kind)
    return due
  }

  close(peer: PeerId, kind: Kind): void {
    this.#peers.get(peer)?.open.delete(kind)
  }
}
