/**
 * The connected peers as a table.
 */
import type { PeerAnswer } from '../../api/messages.ts'
import { endpointOf } from '../../core/endpoint.ts'
import { formatElapsed, formatMs } from '../cluster/units.ts'
import { printable } from '../printable.ts'
import { table } from '../table.ts'
import { shortId } from './ids.ts'

const AGENT_MAX_CHARS = 24

/** Those that we chose come first, and the most deliberate choice first of all. */
const ROLES: readonly string[] = ['manual', 'anchor', 'outbound', 'feeler', 'hint', 'inbound']

/** By role, then the oldest first. */
export function sortedPeers(peers: readonly PeerAnswer[]): PeerAnswer[] {
  const rank = ({ role }: PeerAnswer): number => (ROLES.includes(role) ? ROLES.indexOf(role) : ROLES.length)
  return peers.toSorted((a, b) => rank(a) - rank(b) || a.connectedAtMs - b.connectedAtMs)
}

/** @param wide with ids, addresses and agents in full */
export function peersTable(peers: readonly PeerAnswer[], nowMs: number, wide: boolean): string {
  const titles = ['peer', 'address', 'group', 'dir', 'why', 'age', 'rtt', 'score', 'handshake', 'agent']
  const rows = sortedPeers(peers).map(peer => [
    wide ? peer.peer : shortId(peer.peer),
    wide ? peer.address : (endpointOf(peer.address) ?? peer.address),
    peer.group,
    peer.direction === 'inbound' ? 'in' : 'out',
    peer.role,
    formatElapsed(Math.max(0, nowMs - peer.connectedAtMs)),
    peer.rttMs === undefined ? '–' : formatMs(peer.rttMs),
    String(Math.round(peer.score * 10) / 10),
    peer.handshake,
    wide ? printable(peer.agent) : clipped(printable(peer.agent), AGENT_MAX_CHARS),
  ])
  return table(titles, rows)
}

/** `12 peers: 8 outbound, 4 inbound` */
export function peersSummary(peers: readonly PeerAnswer[]): string {
  const inbound = peers.filter(peer => peer.direction === 'inbound').length
  const count = peers.length === 1 ? '1 peer' : `${peers.length} peers`
  return `${count}: ${peers.length - inbound} outbound, ${inbound} inbound`
}

function clipped(text: string, maxChars: number): string {
  const chars = [...text]
  return chars.length <= maxChars ? text : `${chars.slice(0, maxChars - 1).join('')}…`
}
