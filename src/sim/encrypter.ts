/**
 * Noise without its secrets: the same handshake, the same bytes on the wire, no cipher.
 *
 * Why not Noise as it is: its ephemeral keys come from OpenSSL, which cannot be seeded, and encrypting costs CPU time
 * that the simulator has better use for. Why not the plaintext protocol of libp2p: it is a round trip shorter and
 * its frames are smaller, so start-up times and bytes per node would come out too good.
 *
 * Identities are still signed and checked. What looks like a tag at the end of each record are 16 zero bytes.
 */
import { randomBytes } from 'node:crypto'
import { noise } from '@libp2p/noise'
import { defaultCrypto } from '@libp2p/noise/crypto'
import { Uint8ArrayList } from 'uint8arraylist'

const KEY_BYTES = 32
const TAG = new Uint8Array(16)
const SHARED_KEY = new Uint8Array(KEY_BYTES)

/** For `NodeParts.encrypter`. */
export function openNoise(): ReturnType<typeof noise> {
  return noise({
    crypto: {
      ...defaultCrypto,
      generateX25519KeyPair: () => {
        const key = new Uint8Array(randomBytes(KEY_BYTES))
        return { publicKey: key, privateKey: key }
      },
      generateX25519SharedKey: () => SHARED_KEY,
      chaCha20Poly1305Encrypt: plaintext => new Uint8ArrayList(plaintext, TAG),
      chaCha20Poly1305Decrypt: ciphertext => {
        const sizeBytes = ciphertext.byteLength - TAG.byteLength
        return ciphertext instanceof Uint8Array
          ? ciphertext.subarray(0, sizeBytes)
          : ciphertext.sublist(0, sizeBytes)
      },
    },
  })
}
