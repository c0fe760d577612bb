/**
 * What the address book knows of one endpoint, and when it is worth something: the rules of Bitcoin Core's addrman
 * (`IsTerrible`, `GetChance`), as pure functions.
 *
 * All times are wall time, which people and time servers set back and forth. So a time that lies more than ten minutes
 * ahead counts as long ago: it says nothing, and the next event puts a right one in its place. Bitcoin Core does that
 * for what it heard only; there, one start with a wrong clock can protect an address for years.
 */
import { type Endpoint, type Group, groupOf, parseEndpoint } from '../core/endpoint.ts'
import type { PeerId } from '../core/types.ts'
import { type HostKey, hostOf } from './book-hosts.ts'
import type { AddressInfo, Source } from './view.ts'

const SECOND_MS = 1_000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** How far a time may lie ahead: clocks differ. */
const AHEAD_MAX_MS = 10 * MINUTE_MS
/** Not heard of for longer: gone. */
const HORIZON_MS = 30 * DAY_MS
/** Tried so often without ever a success: a bad address. */
const RETRIES = 3
/** Failed so often, and no success for `FAILING_MS`: gone. */
const FAILURES_MAX = 10
const FAILING_MS = 7 * DAY_MS
/** What was tried a moment ago keeps its place: the answer may still come. */
export const ANSWER_MS = MINUTE_MS
/** What was tried within this time is not tried again while there is something else. */
const RECENT_MS = 10 * MINUTE_MS

/** Attempts are counted up to this. */
export const ATTEMPTS_MAX = 255

/** Instead of a time that cannot be true, as in Bitcoin Core's handling of `addr` messages. */
const UNKNOWN_AGE_MS = 5 * DAY_MS
/** 3 March 1973, in `addr` messages the time of who does not know it. */
const TIME_MIN_MS = 100_000_000 * SECOND_MS

/** One endpoint in the book. Changed only by the book. */
export interface Entry {
  readonly endpoint: Endpoint
  readonly group: Group
  readonly host: HostKey
  readonly source: Source
  readonly sourceGroup: Group
  peer: PeerId | undefined
  lastHeardMs: number
  lastAttemptMs: number
  /** The last attempt that was counted as a failure until it succeeds. */
  lastCountedMs: number
  lastSuccessMs: number
  attempts: number
  isTried: boolean
  /** The buckets of `new` that hold it, at most 8, none when it is tried. */
  newBuckets: number[]
  /** The store has, or had, a record of it. */
  isSaved: boolean
}

/** All of an entry that is worth saving. */
export interface BookEntry extends AddressInfo {
  readonly lastCountedMs: number
  readonly newBuckets: readonly number[]
}

/** What can't be computed from the rest. */
export type BookRecord = Omit<BookEntry, 'group'>

/** An entry that stands nowhere yet; undefined when `endpoint` is none. */
export function makeEntry(record: Omit<BookRecord, 'isTried' | 'newBuckets'>): Entry | undefined {
  const ip = parseEndpoint(record.endpoint)?.ip
  if (ip === undefined) return undefined
  return {
    endpoint: record.endpoint,
    group: groupOf(ip),
    host: hostOf(ip),
    source: record.source,
    sourceGroup: record.sourceGroup,
    peer: record.peer,
    lastHeardMs: record.lastHeardMs,
    lastAttemptMs: record.lastAttemptMs,
    lastCountedMs: record.lastCountedMs,
    lastSuccessMs: record.lastSuccessMs,
    attempts: record.attempts,
    isTried: false,
    newBuckets: [],
    isSaved: false,
  }
}

/** A copy for others. */
export function infoOf(entry: Entry): AddressInfo {
  const { endpoint, group, peer, source, sourceGroup, isTried, attempts } = entry
  const { lastHeardMs, lastAttemptMs, lastSuccessMs } = entry
  return {
    endpoint,
    group,
    peer,
    source,
    sourceGroup,
    lastHeardMs,
    lastAttemptMs,
    lastSuccessMs,
    attempts,
    isTried,
  }
}

/** How long ago a time was; Infinity when it lies ahead, 0 when it does so by what clocks may differ. */
export function ageMs(atMs: number, nowMs: number): number {
  return atMs > nowMs + AHEAD_MAX_MS ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - atMs)
}

/** What somebody told us about when a peer was seen: a time that cannot be true becomes five days ago. */
export function plausibleMs(heardMs: number, nowMs: number): number {
  const isPossible = heardMs > TIME_MIN_MS && heardMs <= nowMs + AHEAD_MAX_MS
  return isPossible ? heardMs : nowMs - UNKNOWN_AGE_MS
}

/** Not worth its place: another address may have it, and it is not passed on. */
export function isTerrible(entry: Entry, nowMs: number): boolean {
  const { lastAttemptMs, lastHeardMs, lastSuccessMs, attempts } = entry
  if (ageMs(lastAttemptMs, nowMs) <= ANSWER_MS) return false
  if (ageMs(lastHeardMs, nowMs) > HORIZON_MS) return true
  if (lastSuccessMs === 0 && attempts >= RETRIES) return true
  return ageMs(lastSuccessMs, nowMs) > FAILING_MS && attempts >= FAILURES_MAX
}

/** How willingly it is selected, from 0 to 1: less after a recent attempt, and after each failure. */
export function chanceOf(entry: Entry, nowMs: number): number {
  const recent = ageMs(entry.lastAttemptMs, nowMs) < RECENT_MS ? 0.01 : 1
  return recent * 0.66 ** Math.min(entry.attempts, 8)
}
