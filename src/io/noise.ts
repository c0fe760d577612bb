/** draft */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import type { ICryptoInterface } from '@libp2p/noise'
import { noise } from '@libp2p/noise'
import { defaultCrypto } from '@libp2p/noise/crypto'
import { Uint8ArrayList } from 'uint8arraylist'

const ALGORITHM = 'chacha20-poly1305'
const TAG_BYTES = 16
const AEAD = { authTagLength: TAG_BYTES } as const
const ENCRYPT_FROM_BYTES = 512
const DECRYPT_FROM_BYTES = 384

const keys = new WeakMap<Uint8Array, KeyObject>()

function keyOf(bytes: Uint8Array): KeyObject {
  const known = keys.get(bytes)
  if (known !== undefined) return known
  const key = createSecretKey(bytes)
  keys.set(bytes, key)
  return key
}

function encrypt(
  plaintext: Uint8Array | Uint8ArrayList,
  nonce: Uint8Array,
  ad: Uint8Array,
  k: Uint8Array,
): Uint8ArrayList | Uint8Array {
  if (plaintext.byteLength < ENCRYPT_FROM_BYTES)
    return defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, k)
  const cipher = createCipheriv(ALGORITHM, keyOf(k), nonce, AEAD)
  if (ad.byteLength > 0) cipher.setAAD(ad, { plaintextLength: plaintext.byteLength })
  const parts: Uint8Array[] = []
  if (plaintext instanceof Uint8Array) parts.push(cipher.update(plaintext))
  else for (const part of plaintext) parts.push(cipher.update(part))
  cipher.final()
  parts.push(cipher.getAuthTag())
  return new Uint8ArrayList(...parts)
}

function decrypt(
  ciphertext: Uint8Array | Uint8ArrayList,
  nonce: Uint8Array,
  ad: Uint8Array,
  k: Uint8Array,
  dst?: Uint8Array,
): Uint8ArrayList | Uint8Array {
  if (ciphertext.byteLength < DECRYPT_FROM_BYTES)
    return defaultCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, k, dst)
  const end = ciphertext.byteLength - TAG_BYTES
  const decipher = createDecipheriv(ALGORITHM, keyOf(k), nonce, AEAD)
  if (ad.byteLength > 0) decipher.setAAD(ad, { plaintextLength: end })
  decipher.setAuthTag(ciphertext.subarray(end))
  let out: Uint8Array | Uint8ArrayList
  if (ciphertext instanceof Uint8Array) out = decipher.update(ciphertext.subarray(0, end))
  else {
    out = new Uint8ArrayList()
    for (const part of ciphertext.sublist(0, end)) out.append(decipher.update(part))
  }
  decipher.final()
  return out
}

export const cachedKeyCrypto: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt: encrypt,
  chaCha20Poly1305Decrypt: decrypt,
}

export function streamNoise(): ReturnType<typeof noise> {
  return noise({ crypto: cachedKeyCrypto })
}
