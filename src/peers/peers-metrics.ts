/**
 * The metrics of peers. What changes rarely is read when the metrics are; decisions are counted where they are made.
 */
import type { Counter, Metrics } from '../core/ports.ts'
import type { OutboundCounts } from './outbound-event.ts'
import type { AddressStats, PeerInfo, Role } from './view.ts'

/** What there is at the moment. */
export interface Readings {
  readonly peers: readonly PeerInfo[]
  readonly book: AddressStats
  readonly bans: number
  /** Undefined where nothing is dialled by itself. */
  readonly outbound: OutboundCounts | undefined
  /** Addresses that peers told beyond what is taken in. */
  readonly ignored: number
}

export interface PeersCounters {
  /** `source` is where the address came from. */
  readonly dials: Counter<'purpose' | 'source' | 'result'>
  /** `reason` is a `DropReason`. */
  readonly drops: Counter<'reason'>
  readonly offences: Counter<'offence'>
}

const ROLES: readonly Role[] = ['manual', 'outbound', 'anchor', 'feeler', 'inbound', 'hint']

/** @param read called once for each time that the metrics are read, though several of them need it */
export function peersMetrics(metrics: Metrics, readNow: () => Readings): PeersCounters {
  const read = once(readNow)
  metrics.gaugeFrom('floodgate_peers', 'Connected peers by who dialled', ['direction'], () =>
    (['inbound', 'outbound'] as const).map(direction => [
      { direction },
      read().peers.filter(peer => peer.direction === direction).length,
    ]),
  )
  metrics.gaugeFrom('floodgate_peers_by_role', 'Connected peers by why they are', ['role'], () =>
    ROLES.map(role => [{ role }, read().peers.filter(peer => peer.role === role).length]),
  )
  metrics.gaugeFrom('floodgate_book_addresses', 'Addresses in the book by table', ['table'], () => [
    [{ table: 'new' }, read().book.newAddresses],
    [{ table: 'tried' }, read().book.triedAddresses],
  ])
  metrics.gaugeFrom('floodgate_outbound', 'Outbound places by state', ['state'], () => {
    const { established = 0, anchors = 0, dialling = 0 } = read().outbound ?? {}
    return [
      [{ state: 'established' }, established],
      [{ state: 'anchors' }, anchors],
      [{ state: 'dialling' }, dialling],
    ]
  })
  metrics.gaugeFrom('floodgate_bans', 'Bans in force', [], () => [[{}, read().bans]])
  metrics.counterFrom(
    'floodgate_exchange_ignored_total',
    'Addresses told beyond what is taken in',
    [],
    () => [[{}, read().ignored]],
  )
  return {
    dials: metrics.counter('floodgate_dials_total', 'Dials by purpose, source of the address, and result', [
      'purpose',
      'source',
      'result',
    ]),
    drops: metrics.counter('floodgate_drops_total', 'Connections closed or refused by us, by reason', [
      'reason',
    ]),
    offences: metrics.counter('floodgate_offences_total', 'Misbehaviour of peers', ['offence']),
  }
}

/** The same value until whatever runs now has ended: a book of 80,000 addresses is not to be counted for each metric. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    if (made === undefined) {
      made = { value: make() }
      queueMicrotask(() => {
        made = undefined
      })
    }
    return made.value
  }
}
