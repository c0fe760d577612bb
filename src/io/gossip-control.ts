/**
 * The control messages of gossip, cut down to what an honest peer needs: offers (IHAVE), requests (IWANT), refusals
 * (IDONTWANT), and prunes.
 *
 * Rules, each with what gossipsub 17.1.1 does by itself:
 * - An id has the length of our ids; others can name no message. The library takes any, and keeps those that it asks
 *   for up to 100 s, refused ones for `historyLength` heartbeats: an id of 4 MiB was a way to fill our memory.
 * - IHAVE: at most twice what a busy honest peer offers within a heartbeat (two of its heartbeats may fall into one of
 *   ours): a frame and 5,000 ids for each of our topics, and at least 10 frames, since some implementations send a
 *   frame for each topic. What is beyond is cut, and is an offence once per heartbeat. The library ignores offers
 *   after 10 frames, asks for 5,000 ids per heartbeat, and blames nobody.
 * - A back-off after a prune is an hour at most. All implementations use a minute; the library obeys any, and keeps it
 *   when the peer has gone: entries for 32,000 years, a leak per identity.
 * - Refused subscriptions (the library counts their bytes) are an offence once per minute: a peer that has many topics
 *   names them all at once, when it connects.
 *
 * Left to the library, because it bounds them well: IWANT (10 frames of 5,000 ids per heartbeat, each message 3 times
 * per peer; `pubsub.ts` bounds the answer), IDONTWANT (512 ids per heartbeat), GRAFT and PRUNE of topics that are not
 * ours (ignored), GRAFT within a back-off (its own score, which then mutes the peer).
 */
import type { RPC } from '@libp2p/gossipsub/message'
import type { Offence } from '../core/offences.ts'
import type { PeerId } from '../core/types.ts'

export interface ControlOptions {
  readonly heartbeatMs: number
  /** The lengths of message ids, both inclusive. */
  readonly idMinBytes: number
  readonly idMaxBytes: number
}

export interface Blame {
  readonly offence: Offence
  readonly detail: string
}

export interface Trimmed {
  readonly blames: readonly Blame[]
  /** Ids that were dropped because of their length. */
  readonly oddIds: number
}

/** What the library takes per topic and heartbeat; go and rust offer no more either. */
const IHAVE_IDS_PER_TOPIC = 5_000
const IHAVE_FRAMES_MIN = 10
const IHAVE_TOLERANCE = 2

/** Sixty times what all implementations use; and so long, at most, a record of it outlives the peer. */
const BACKOFF_MAX_S = 3_600

const MINUTE_MS = 60_000

interface Account {
  ihaveFrames: number
  ihaveIds: number
  isIhaveBlamed: boolean
  /** The heartbeat from which on refused topics are an offence again. */
  topicsBlamableAt: number
}

export class ControlLimits {
  readonly #options: ControlOptions
  /** By peer, while it is connected. */
  readonly #accounts = new Map<PeerId, Account>()
  #beats = 0

  constructor(options: ControlOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#accounts.size
  }

  /** A heartbeat: what is counted per heartbeat begins anew, and peers that have gone are forgotten. */
  beat(isConnected: (peer: PeerId) => boolean): void {
    this.#beats++
    for (const [peer, account] of this.#accounts) {
      if (!isConnected(peer)) this.#accounts.delete(peer)
      account.ihaveFrames = 0
      account.ihaveIds = 0
      account.isIhaveBlamed = false
    }
  }

  /** Changes `control` into what gossip may see of it. @param topicCount how many topics we have subscribed to */
  trim(peer: PeerId, control: RPC.ControlMessage, topicCount: number): Trimmed {
    const blames: Blame[] = []
    let oddIds = 0
    for (const list of [control.ihave, control.iwant, control.idontwant]) {
      for (const item of list) oddIds += this.#dropOddIds(item)
    }
    if (control.ihave.length > 0) blames.push(...this.#trimIhave(peer, control, topicCount))
    if (control.prune.length > 0) blames.push(...clampBackoffs(control.prune))
    return { blames, oddIds }
  }

  /** A subscription was one too many. */
  refuseTopic(peer: PeerId): Blame | undefined {
    const account = this.#account(peer)
    if (this.#beats < account.topicsBlamableAt) return undefined
    account.topicsBlamableAt = this.#beats + Math.ceil(MINUTE_MS / this.#options.heartbeatMs)
    return { offence: 'gossip-topics', detail: 'more topics than are recorded for one peer' }
  }

  #dropOddIds(item: { messageIDs: Uint8Array[] }): number {
    const { idMinBytes, idMaxBytes } = this.#options
    const isOurs = (id: Uint8Array): boolean => id.byteLength >= idMinBytes && id.byteLength <= idMaxBytes
    if (item.messageIDs.every(isOurs)) return 0
    const before = item.messageIDs.length
    item.messageIDs = item.messageIDs.filter(isOurs)
    return before - item.messageIDs.length
  }

  #trimIhave(peer: PeerId, control: RPC.ControlMessage, topicCount: number): Blame[] {
    const account = this.#account(peer)
    const framesMax = IHAVE_TOLERANCE * Math.max(IHAVE_FRAMES_MIN, topicCount)
    const idsMax = IHAVE_TOLERANCE * IHAVE_IDS_PER_TOPIC * Math.max(1, topicCount)
    account.ihaveFrames++
    let left = account.ihaveFrames > framesMax ? 0 : Math.max(0, idsMax - account.ihaveIds)
    for (const { messageIDs } of control.ihave) account.ihaveIds += messageIDs.length
    if (account.ihaveFrames <= framesMax && account.ihaveIds <= idsMax) return []
    for (const item of control.ihave) {
      item.messageIDs.length = Math.min(item.messageIDs.length, left)
      left -= item.messageIDs.length
    }
    control.ihave = control.ihave.filter(({ messageIDs }) => messageIDs.length > 0)
    if (account.isIhaveBlamed) return []
    account.isIhaveBlamed = true
    const offered = `${account.ihaveIds} ids in ${account.ihaveFrames} frames`
    const detail = `${offered} within a heartbeat, limits ${idsMax} and ${framesMax}`
    return [{ offence: 'gossip-ihave', detail }]
  }

  #account(peer: PeerId): Account {
    let account = this.#accounts.get(peer)
    if (account === undefined) {
      account = { ihaveFrames: 0, ihaveIds: 0, isIhaveBlamed: false, topicsBlamableAt: 0 }
      this.#accounts.set(peer, account)
    }
    return account
  }
}

/** One blame for a frame, however many of its prunes are absurd. */
function clampBackoffs(prunes: readonly RPC.ControlPrune[]): Blame[] {
  let longest = 0
  for (const prune of prunes) {
    if (prune.backoff === undefined || prune.backoff <= BACKOFF_MAX_S) continue
    longest = Math.max(longest, prune.backoff)
    prune.backoff = BACKOFF_MAX_S
  }
  if (longest === 0) return []
  return [{ offence: 'gossip-backoff', detail: `a back-off of ${longest} s, limit ${BACKOFF_MAX_S} s` }]
}
