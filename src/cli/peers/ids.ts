/**
 * Peer ids as people handle them: tables show the end of an id, and a command takes what a table shows.
 *
 * Why the end: every id of an Ed25519 key begins with `12D3KooW`.
 */
import { FloodgateError } from '../../core/errors.ts'
import type { PeerId } from '../../core/types.ts'

const SHOWN_CHARS = 8

/** A shorter text than any peer id is taken for the end of one. */
const ID_MIN_CHARS = 40

/** `…9xQz3BcD` */
export function shortId(peer: PeerId): string {
  return peer.length <= SHOWN_CHARS ? peer : `…${peer.slice(-SHOWN_CHARS)}`
}

/** Whether a text may be the end of a peer id, with or without the dots before it. */
export function isShortId(text: string): boolean {
  return /^…?[1-9A-HJ-NP-Za-km-z]+$/.test(text) && text.length < ID_MIN_CHARS
}

/** The one peer whose id ends so. @throws FloodgateError NO_PEER, ARGUMENT when there are several */
export function peerEndingWith(text: string, peers: readonly PeerId[]): PeerId {
  const end = text.replace(/^…/, '')
  const [found, ...others] = peers.filter(peer => peer.endsWith(end))
  if (found === undefined)
    throw new FloodgateError('NO_PEER', `no connected peer has an id that ends with ${end}`)
  if (others.length > 0) {
    throw new FloodgateError(
      'ARGUMENT',
      `${others.length + 1} connected peers have an id that ends with ${end}`,
    )
  }
  return found
}
