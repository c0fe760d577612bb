/**
 * The metrics of peers. What changes rarely is read when the metrics are; decisions are counted where they are made.
 */
import type { Counter, Metrics } from '../core/ports.ts'
import type { OutboundCounts } from './outbound.ts'
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
  readonly dials: Counter<'purpose' | 'result'>
  /** `reason` is a `DropReason`. */
  readonly drops: Counter<'reason'>
  readonly offences: Counter<'offence'>
}

const ROLES: readonly Role[] = ['manual', 'outbound', 'anchor', 'feeler', 'inbound', 'hint']

export function peersMetrics(metrics: Metrics, read: () => Readings): PeersCounters {
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
    dials: metrics.counter('floodgate_dials_total', 'Dials by purpose and result', ['purpose', 'result']),
    drops: metrics.counter('floodgate_drops_total', 'Connections closed or refused by us, by reason', [
      'reason',
    ]),
    offences: metrics.counter('floodgate_offences_total', 'Misbehaviour of peers', ['offence']),
  }
}
