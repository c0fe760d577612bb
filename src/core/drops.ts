/**
 * Why a connection is closed, or not let in: every reason, once. `docs/peers.md` lists them from here.
 */
export const DROP_REASONS = {
  asked: 'the program or the operator asked for it',
  stopping: 'this node stops',
  banned: 'its address or its peer id is banned',
  score: 'its score sank below the drop line',
  discouraged: 'it misbehaved before, and there is no room to be lenient',
  network: 'it belongs to another network',
  version: 'we have no version of the handshake in common',
  self: 'it is this node itself',
  handshake: 'it did not shake hands in time, or shook them wrong',
  plain: 'it does not speak our protocols, and there are enough of these peers or `interop` is off',
  duplicate: 'there is a connection to this peer already, and it answers',
  replaced: 'the peer has come again, and this older connection no longer answers',
  'ip-limit': 'too many connections of one IP address',
  'group-limit': 'too many connections of one network group',
  full: 'all inbound places are taken by peers that are worth more',
  evicted: 'an inbound place was needed, and this was the peer worth least',
  feeler: 'the address was only tried: it works',
  rotated: 'an outbound place went to a peer from a network group not tried before',
  surplus: 'there are more outbound connections than wanted, or two in one network group',
  hint: 'a connection of the Kademlia walk, no longer needed',
  silent: 'it no longer answers',
} as const

export type DropReason = keyof typeof DROP_REASONS
