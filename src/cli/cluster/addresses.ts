/**
 * At which of its addresses a node is dialled by the others.
 */
import type { Address } from '../../core/types.ts'

const LOOPBACK = /^\/ip4\/127\.|^\/ip6\/::1\/|^\/dns4?\/localhost\//

/**
 * On one machine everything goes over loopback. A node that is `wrapped` by `--exec` may have a network of its
 * own, whose loopback nobody else sees: its first other address counts, if it has one.
 */
export function dialAddress(addresses: readonly Address[], wrapped: boolean): Address | undefined {
  const outside = addresses.find(address => !LOOPBACK.test(address))
  const inside = addresses.find(address => LOOPBACK.test(address))
  return wrapped ? (outside ?? inside) : (inside ?? outside)
}
