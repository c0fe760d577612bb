/**
 * The anchors: a pure machine that keeps the short list of peers to which a node returns first after a restart.
 *
 *   waiting → dialling → up → lost
 *                     ↘ failed → waiting (when nobody answered at all)
 *                     ↘ bad      lost → waiting (when the last place was lost)
 *
 * Rules, each with the attack that it answers:
 * - The list holds the longest-lived of our outbound peers. A restarted node that fills its places out of its book
 *   alone is surrounded by whoever has the most addresses in it (Heilman et al., 2015); peers that were good for hours
 *   were not chosen for this moment. Who is on the list stays on it while it is connected, however late it came back:
 *   otherwise the quickest to answer after a restart would win.
 * - It is written when it changes, at most every `PERIOD_MS`, and after `SOON_MS` already for the first time and while
 *   it is shorter than it could be. Not only at a clean stop: who can crash a node would then also take its anchors.
 * - Each trial is counted, and written, before its dial. A minute of connection clears the count, and so does a stop in
 *   order; at `TRIALS_MAX` the anchor is given up. An anchor that crashes us would otherwise be dialled at every start for
 *   ever. One anchor at a start, no more: whoever can crash us within a minute, again and again, would otherwise take
 *   all of them at once.
 * - A dial that fails while nobody answers at all is no trial, and the anchors are dialled again, first, as soon as we
 *   dial at all; the same when the last outbound connection is lost. A cut line is as good as a restart to an attacker.
 * - Those that cannot be reached stay on the list until connected ones take their places: a node that starts offline
 *   keeps what it has. One that was lost has a minute to come back: when the line is cut, connections are seen to end
 *   one after another, and the last of them would take the places of the first.
 */
import assert from 'node:assert/strict'
import type { Endpoint } from '../core/endpoint.ts'
import type { PeerId } from '../core/types.ts'

/** One record on disk. */
export interface Anchor {
  readonly endpoint: Endpoint
  readonly peer: PeerId
  /** Dials since it was last connected for 10 minutes. */
  readonly trials: number
}

/** A connected outbound peer that may become an anchor. */
export interface AnchorCandidate {
  readonly endpoint: Endpoint
  readonly peer: PeerId
  readonly sinceMs: number
}

/** After so many bad trials an anchor is given up. */
export const TRIALS_MAX = 3

const PROVEN_MS = 60_000
const SOON_MS = 60_000
const PERIOD_MS = 600_000
/** How long a lost one keeps its place. */
const GRACE_MS = 60_000
const NEVER = Number.NEGATIVE_INFINITY

interface Entry {
  readonly endpoint: Endpoint
  peer: PeerId
  trials: number
  lostAtMs: number
  state: 'waiting' | 'dialling' | 'up' | 'failed' | 'bad' | 'lost'
}

export class Anchors {
  readonly #max: number
  #entries: Entry[] = []
  #hasChanged = false
  #hasWritten = false
  /** Of the last list, or of the start. */
  #writtenAtMs: number | undefined

  /** @param saved as they were written last; those that have failed too often are dropped */
  constructor(max: number, saved: readonly Anchor[]) {
    this.#max = max
    const bad = saved.find(anchor => anchor.trials >= TRIALS_MAX)
    for (const anchor of saved) {
      const { endpoint, peer } = anchor
      const trials = Math.min(anchor.trials, TRIALS_MAX - 1)
      if (anchor !== bad && this.#entries.length < max && !this.has(endpoint))
        this.#entries.push({ endpoint, peer, trials, lostAtMs: NEVER, state: 'waiting' })
    }
    this.#hasChanged = max > 0 && this.#entries.length < saved.length
  }

  has(endpoint: Endpoint): boolean {
    return this.#of(endpoint) !== undefined
  }

  /** The list as it is to be written. */
  list(): Anchor[] {
    return this.#entries.map(({ endpoint, peer, trials }) => ({ endpoint, peer, trials }))
  }

  /** Those to dial now, if they can be. */
  waiting(): Anchor[] {
    return this.#entries.filter(entry => entry.state === 'waiting')
  }

  /** It is about to be dialled: the list is to be written before. */
  dialled(endpoint: Endpoint): void {
    const entry = this.#of(endpoint)
    if (entry === undefined) return
    entry.state = 'dialling'
    this.#count(entry, 1)
  }

  /** Connected to us, whoever has dialled it. */
  greeted(endpoint: Endpoint, peer: PeerId): void {
    const entry = this.#of(endpoint)
    if (entry === undefined) return
    if (entry.peer !== peer) this.#hasChanged = true
    entry.peer = peer
    entry.state = 'up'
  }

  /** Nobody answered there. */
  failed(endpoint: Endpoint): void {
    this.#answer(endpoint, 'failed')
  }

  /** Somebody answered, and was of no use. */
  refused(endpoint: Endpoint): void {
    this.#answer(endpoint, 'bad')
  }

  /** It is connected in another way, so its trial was none. */
  spared(endpoint: Endpoint): void {
    const entry = this.#of(endpoint)
    if (entry?.state === 'dialling') this.#count(entry, -1)
    if (entry !== undefined) entry.state = 'lost'
  }

  /** The node stops in order: whoever is up has not hurt it. */
  clear(): void {
    for (const entry of this.#entries) if (entry.state === 'up') this.#count(entry, -entry.trials)
  }

  lost(endpoint: Endpoint, nowMs: number): void {
    const entry = this.#of(endpoint)
    if (entry?.state !== 'up') return
    entry.state = 'lost'
    entry.lostAtMs = nowMs
  }

  /** It must not be dialled at all. */
  forget(endpoint: Endpoint): void {
    if (!this.has(endpoint)) return
    this.#entries = this.#entries.filter(entry => entry.endpoint !== endpoint)
    this.#hasChanged = true
  }

  /** Nobody is connected: those that failed were not at fault, and all are tried again. */
  revive(): void {
    for (const entry of this.#entries) {
      if (entry.state === 'failed') this.#count(entry, -1)
      if (entry.state === 'failed' || entry.state === 'lost') entry.state = 'waiting'
    }
  }

  /** @param connected our outbound peers, the longest connected first */
  update(connected: readonly AnchorCandidate[], nowMs: number): void {
    this.#writtenAtMs ??= nowMs
    if (this.#max === 0) return
    for (const { endpoint, sinceMs } of connected) {
      const entry = this.#of(endpoint)
      if (entry !== undefined && entry.trials > 0 && nowMs - sinceMs >= PROVEN_MS)
        this.#count(entry, -entry.trials)
    }
    const isShort = this.#entries.length < Math.min(this.#max, connected.length)
    const restMs = this.#hasWritten && !isShort ? PERIOD_MS : SOON_MS
    if (nowMs - this.#writtenAtMs >= restMs) this.#renew(connected, nowMs)
  }

  /** Whether the list must be written, once. */
  takeChange(): boolean {
    const hasChanged = this.#hasChanged
    this.#hasChanged = false
    return hasChanged
  }

  check(): void {
    assert.ok(this.#entries.length <= this.#max)
    assert.equal(new Set(this.#entries.map(entry => entry.endpoint)).size, this.#entries.length)
    for (const { trials } of this.#entries) assert.ok(trials >= 0 && trials <= TRIALS_MAX)
  }

  #renew(connected: readonly AnchorCandidate[], nowMs: number): void {
    const isUp = new Set(connected.map(({ endpoint }) => endpoint))
    const stays = (entry: Entry): boolean => isUp.has(entry.endpoint) || nowMs - entry.lostAtMs < GRACE_MS
    const staying = this.#entries.filter(stays)
    const coming = connected
      .filter(({ endpoint }) => !this.has(endpoint))
      .map(({ endpoint, peer }): Entry => ({ endpoint, peer, trials: 0, lostAtMs: NEVER, state: 'up' }))
    const away = this.#entries.filter(entry => !stays(entry) && entry.trials < TRIALS_MAX)
    const entries = [...staying, ...coming, ...away].slice(0, this.#max)
    const isSame =
      entries.length === this.#entries.length && entries.every(entry => this.#entries.includes(entry))
    if (isSame) return
    this.#entries = entries
    this.#hasChanged = true
    this.#hasWritten = true
    this.#writtenAtMs = nowMs
  }

  #answer(endpoint: Endpoint, state: 'failed' | 'bad'): void {
    const entry = this.#of(endpoint)
    if (entry?.state === 'dialling') entry.state = state
  }

  #count(entry: Entry, by: number): void {
    const trials = Math.max(0, Math.min(TRIALS_MAX, entry.trials + by))
    if (trials === entry.trials) return
    entry.trials = trials
    this.#hasChanged = true
  }

  #of(endpoint: Endpoint): Entry | undefined {
    return this.#entries.find(entry => entry.endpoint === endpoint)
  }
}
