/**
 * Signs with this node's identity key, and verifies with the keys that peer ids hold.
 *
 * An Ed25519 peer id is its public key, so no key has to travel with a signature. Ids that are the hash of a longer key
 * (RSA) can't be verified from themselves: such a signature counts as wrong.
 */
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Signer } from '../core/ports.ts'
import type { Identity } from './identity.ts'

export function signerOf({ peer, privateKey }: Pick<Identity, 'peer'> & { privateKey: PrivateKey }): Signer {
  return {
    peer,
    sign: async bytes => await privateKey.sign(bytes),
    async verify(signer, bytes, signature) {
      try {
        const { publicKey } = peerIdFromString(signer)
        return publicKey !== undefined && (await publicKey.verify(bytes, signature))
      } catch {
        // What a peer sent is no peer id, or no signature: both are wrong, and neither is our failure.
        return false
      }
    },
  }
}
