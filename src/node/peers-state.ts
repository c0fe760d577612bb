/**
 * What the peers layer keeps from one run to the next, loaded from the store: the address book, the bans, the anchors.
 */
import type { Config } from '../config/schema.ts'
import type { Clock, Log, Metrics, RandomSource, Store } from '../core/ports.ts'
import { AnchorKeeper } from '../peers/anchor-keeper.ts'
import { BanKeeper } from '../peers/ban-keeper.ts'
import { BookKeeper } from '../peers/book-keeper.ts'
import { BOOK_KEY_BYTES } from '../peers/book-placement.ts'
import type { PeersState } from '../peers/materials.ts'

export interface SavedPeers extends PeersState {
  readonly bookKeeper: BookKeeper
}

/** Never rejects: what cannot be read is begun anew, and the log says so. @param store undefined keeps all in memory */
export async function loadPeersState(
  store: Store | undefined,
  { network, connections }: Config,
  parts: {
    readonly random: RandomSource
    readonly clock: Clock
    readonly log: Log
    readonly metrics: Metrics
  },
): Promise<SavedPeers> {
  const { clock, log } = parts
  const { groupRules } = connections
  const newKey = (): Uint8Array => crypto.getRandomValues(new Uint8Array(BOOK_KEY_BYTES))
  const wallMs = clock.wallMs()
  const { book, keeper } = await BookKeeper.load(store, { ...parts, groupRules, newKey }, network, wallMs)
  const bans = await BanKeeper.load(store, log, wallMs)
  const anchorKeeper = new AnchorKeeper(store, log)
  return { book, bookKeeper: keeper, bans, anchors: await anchorKeeper.load(), anchorKeeper }
}
