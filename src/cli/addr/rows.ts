/**
 * Addresses of the book as a table.
 */
import type { AddressAnswer } from '../../api/messages.ts'
import { formatElapsed } from '../cluster/units.ts'
import { shortId } from '../peers/ids.ts'
import { table } from '../table.ts'

/** One row for each address, with the times as how long ago. */
export function addressesTable(addresses: readonly AddressAnswer[], nowMs: number): string {
  const ago = (ms: number): string => (ms === 0 ? '–' : formatElapsed(Math.max(0, nowMs - ms)))
  const titles = [
    'address',
    'table',
    'peer',
    'group',
    'source',
    'told by',
    'heard',
    'reached',
    'dialled',
    'failures',
  ]
  const rows = addresses.map(address => [
    address.endpoint,
    address.isTried ? 'tried' : 'new',
    address.peer === undefined ? '–' : shortId(address.peer),
    address.group,
    address.source,
    address.sourceGroup,
    ago(address.lastHeardMs),
    ago(address.lastSuccessMs),
    ago(address.lastAttemptMs),
    address.attempts,
  ])
  return table(titles, rows)
}
