/**
 * Noise, cheaper: a connection's keys are imported once, and what is sent in one tick is encrypted in one go.
 *
 * `streamNoise()` speaks the same protocol as `noise()`; only the CPU time differs.
 *
 * **Keys.** What the package does by itself is WebAssembly for records below 1,200 bytes, and above them
 * `node:crypto` with the raw key, which Node 24 (OpenSSL 3.5) then fetches, checks and copies anew for
 * every record. Here the key is a `KeyObject`. Microseconds a record, Node 24.21 on one core of an AMD
 * EPYC:
 *
 *   bytes                64   256   384   512   768  1,024  4,096  16,384  65,519
 *   encrypt, raw key     18    12    12    13    12     14     14      18      40
 *            WASM       1.9   2.6   2.9   3.5   4.6    6.4     20      77     313
 *            KeyObject  3.1   3.4   3.5   3.7   3.9    4.0    5.1     9.3      30
 *   decrypt, raw key     11    14    12    12    12     13     14      18      34
 *            WASM       0.9   2.0   2.7   4.6   4.4    5.8     19      73     301
 *            KeyObject  2.6   3.3   2.9   3.0   3.3    3.4    4.2     6.7      24
 *
 * The two thresholds below are where the last two lines of each half cross; below them the package's own
 * code runs.
 *
 * **Records.** Yamux sends each frame by itself: a record, two writes to the socket, and on the other side
 * a record to open. Here frames wait until the code that sends them is done (`process.nextTick`, as in
 * `transport.ts`) and share a record. A node that floods messages of 256 bytes to 1 kB needs a quarter to a
 * third less CPU time for each on both sides (`npm run bench -- flood`). Rules:
 * - No more waits than fits in one record; large frames do not wait at all. Order never changes.
 * - Closing the connection first sends what waits. Aborting throws it away, like everything unsent.
 * - `send` answers what it would have without the wait, so a writer goes at most one record beyond a full
 *   socket.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import { type ICryptoInterface, type NoiseComponents, type NoiseExtensions, noise } from '@libp2p/noise'
import { defaultCrypto } from '@libp2p/noise/crypto'
import { Uint8ArrayList } from 'uint8arraylist'

const ALGORITHM = 'chacha20-poly1305'
const TAG_BYTES = 16
const ENCRYPT_FROM_BYTES = 512
const DECRYPT_FROM_BYTES = 384

/** Parts below this are cheaper to join than to hand to OpenSSL one by one (about 1 µs each). */
const JOIN_BELOW_BYTES = 8_192

/** By identity: Noise makes the array of a key once in a connection and never writes to it again. */
const keys = new WeakMap<Uint8Array, KeyObject>()

function keyOf(bytes: Uint8Array): KeyObject {
  const known = keys.get(bytes)
  if (known !== undefined) return known
  const key = createSecretKey(bytes)
  keys.set(bytes, key)
  return key
}

/** Calls `take` for all bytes in order, with neighbouring small parts joined. */
function eachPart(data: Uint8Array | Uint8ArrayList, take: (part: Uint8Array) => void): void {
  if (data instanceof Uint8Array) return take(data)
  let small: Uint8Array[] = []
  const takeSmall = (): void => {
    const [only] = small
    if (only === undefined) return
    take(small.length === 1 ? only : Buffer.concat(small))
    small = []
  }
  for (const part of data) {
    if (part.byteLength < JOIN_BELOW_BYTES) {
      small.push(part)
    } else {
      takeSmall()
      take(part)
    }
  }
  takeSmall()
}

/** One array when the parts are small, as every part becomes a write of its own. */
function joined(parts: Uint8Array[], sizeBytes: number): Uint8Array | Uint8ArrayList {
  return sizeBytes < JOIN_BELOW_BYTES ? Buffer.concat(parts, sizeBytes) : new Uint8ArrayList(...parts)
}

function encrypt(
  plaintext: Uint8Array | Uint8ArrayList,
  nonce: Uint8Array,
  ad: Uint8Array,
  k: Uint8Array,
): Uint8Array | Uint8ArrayList {
  const sizeBytes = plaintext.byteLength
  if (sizeBytes < ENCRYPT_FROM_BYTES) return defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, k)
  const cipher = createCipheriv(ALGORITHM, keyOf(k), nonce, { authTagLength: TAG_BYTES })
  if (ad.byteLength > 0) cipher.setAAD(ad, { plaintextLength: sizeBytes })
  const parts: Uint8Array[] = []
  eachPart(plaintext, part => parts.push(cipher.update(part)))
  cipher.final()
  parts.push(cipher.getAuthTag())
  return joined(parts, sizeBytes + TAG_BYTES)
}

/** @throws when the bytes, the nonce or the associated data are not what was encrypted with this key */
function decrypt(
  ciphertext: Uint8Array | Uint8ArrayList,
  nonce: Uint8Array,
  ad: Uint8Array,
  k: Uint8Array,
  dst?: Uint8Array,
): Uint8Array | Uint8ArrayList {
  if (ciphertext.byteLength < DECRYPT_FROM_BYTES) {
    return defaultCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, k, dst)
  }
  const sizeBytes = ciphertext.byteLength - TAG_BYTES
  const decipher = createDecipheriv(ALGORITHM, keyOf(k), nonce, { authTagLength: TAG_BYTES })
  if (ad.byteLength > 0) decipher.setAAD(ad, { plaintextLength: sizeBytes })
  decipher.setAuthTag(ciphertext.subarray(sizeBytes))
  const parts: Uint8Array[] = []
  const body =
    ciphertext instanceof Uint8Array ? ciphertext.subarray(0, sizeBytes) : ciphertext.sublist(0, sizeBytes)
  eachPart(body, part => parts.push(decipher.update(part)))
  // This is where a forged record throws, before any of its bytes leave this function.
  decipher.final()
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : new Uint8ArrayList(...parts)
}

/** Interoperates with every implementation of Noise in libp2p. */
export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt: encrypt,
  chaCha20Poly1305Decrypt: decrypt,
}

/** The content of a full record: 65,535 bytes without the tag. */
const RECORD_BYTES = 65_519

/** Frames from this size gain nothing from company. */
const ALONE_FROM_BYTES = 16_384

/**
 * Makes what is sent over `secured` in one tick share records. `raw` is the connection beneath it: libp2p
 * closes that one and not `secured`.
 */
function batchSends(secured: MessageStream, raw: MessageStream): void {
  const send = secured.send.bind(secured)
  const close = raw.close.bind(raw)
  let waiting = new Uint8ArrayList()
  let isScheduled = false

  const flush = (): void => {
    if (waiting.byteLength === 0) return
    const batch = waiting
    waiting = new Uint8ArrayList()
    send(batch)
  }

  const flushLater = (): void => {
    isScheduled = false
    if (secured.status !== 'open' || raw.status !== 'open') return
    try {
      flush()
    } catch {
      // The connection has aborted itself, and everybody hears of it by its `close` event.
    }
  }

  secured.send = data => {
    if (secured.status !== 'open' || raw.status !== 'open') return send(data)
    if (waiting.byteLength + data.byteLength > RECORD_BYTES) flush()
    if (data.byteLength >= ALONE_FROM_BYTES) {
      flush()
      return send(data)
    }
    waiting.append(data)
    if (!isScheduled) {
      isScheduled = true
      process.nextTick(flushLater)
    }
    return !secured.writableNeedsDrain
  }

  raw.close = options => {
    flushLater()
    return close(options)
  }
}

/** In place of `noise()` in a libp2p configuration. */
export function streamNoise(): (components: NoiseComponents) => ConnectionEncrypter<NoiseExtensions> {
  return components => {
    const encrypter = noise({ crypto: noiseCrypto })(components)
    type Secure = typeof encrypter.secureInbound
    const batched =
      (secure: Secure): Secure =>
      async (raw, options) => {
        const secured = await secure.call(encrypter, raw, options)
        batchSends(secured.connection, raw)
        return secured
      }
    encrypter.secureInbound = batched(encrypter.secureInbound)
    encrypter.secureOutbound = batched(encrypter.secureOutbound)
    return encrypter
  }
}
