/**
 * libp2p's peer store, kept to the peers that are connected.
 *
 * It holds a record of every peer that was ever connected, in memory, and looks at their age only when they are read:
 * whoever comes back under ever new identities fills it. What we know of peers that are not connected is the address
 * book's business.
 */
import type { Libp2p } from '@libp2p/interface'

/** How often records are looked through: at most a minute's worth of strangers is kept. */
export const FORGET_PERIOD_MS = 60_000

/**
 * Forgets all peers that are not connected. One that connects meanwhile keeps its record: it writes it after its
 * handshakes, and by then it is in the list of connections or its old record is gone.
 */
export async function forgetStrangers(libp2p: Libp2p): Promise<void> {
  for (const { id } of await libp2p.peerStore.all()) {
    if (libp2p.getConnections(id).length === 0) await libp2p.peerStore.delete(id)
  }
}
