/**
 * The keeper of anchors: one small record in the store, written at once whenever the list changes.
 *
 *   1 version ‖ 1 number of anchors ‖ for each: text endpoint ‖ text peer ‖ 1 trials ‖ 8 checksum
 *
 * A text is one byte for its length and then ASCII; the checksum is BLAKE2b-64 over all bytes before it. A record that is
 * damaged is no list: the node starts without anchors, and says so.
 */
import { parseEndpoint } from '../core/endpoint.ts'
import type { Log, Store } from '../core/ports.ts'
import { type Anchor, TRIALS_MAX } from './anchors.ts'
import { blake2b64 } from './book-placement.ts'

export const ANCHORS_KEY = '/floodgate/anchors'

const VERSION = 1
const CHECKSUM_BYTES = 8

export class AnchorKeeper {
  readonly #store: Store | undefined
  readonly #log: Log

  /** @param store undefined keeps nothing */
  constructor(store: Store | undefined, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** The list that was written last. Never rejects. */
  async load(): Promise<Anchor[]> {
    try {
      const bytes = await this.#store?.get(ANCHORS_KEY)
      if (bytes === undefined) return []
      const anchors = decodeAnchors(bytes)
      if (anchors !== undefined) return anchors
      this.#log.warn('the list of anchors is damaged: starting without')
    } catch (error) {
      this.#log.warn('the list of anchors cannot be read', { reason: (error as Error).message })
    }
    return []
  }

  /** Resolves when the list is on the disk, or could not be written. */
  async save(anchors: readonly Anchor[]): Promise<void> {
    try {
      await this.#store?.write([{ put: ANCHORS_KEY, value: encodeAnchors(anchors) }], { sync: true })
    } catch (error) {
      this.#log.warn('the list of anchors could not be written', { reason: (error as Error).message })
    }
  }
}

export function encodeAnchors(anchors: readonly Anchor[]): Uint8Array {
  const parts: number[] = [VERSION, anchors.length]
  for (const { endpoint, peer, trials } of anchors) parts.push(...text(endpoint), ...text(peer), trials)
  const content = Uint8Array.from(parts)
  return Uint8Array.from([...content, ...blake2b64(content)])
}

/** Undefined for bytes that are no list. Never throws. */
export function decodeAnchors(bytes: Uint8Array): Anchor[] | undefined {
  const end = bytes.byteLength - CHECKSUM_BYTES
  if (end < 2 || bytes[0] !== VERSION) return undefined
  const isWhole = Buffer.compare(blake2b64(bytes.subarray(0, end)), bytes.subarray(end)) === 0
  if (!isWhole) return undefined
  let at = 2
  const readText = (): string => {
    const length = at < end ? (bytes[at] ?? 0) : 0
    const value = Buffer.from(bytes.subarray(at + 1, at + 1 + length)).toString('latin1')
    at += 1 + length
    return value
  }
  const anchors: Anchor[] = []
  for (let count = bytes[1] ?? 0; count > 0; count--) {
    const endpoint = readText()
    const peer = readText()
    const trials = bytes[at++] ?? TRIALS_MAX
    if (at > end || peer === '' || parseEndpoint(endpoint) === undefined) return undefined
    anchors.push({ endpoint, peer, trials })
  }
  return at === end ? anchors : undefined
}

function text(value: string): number[] {
  return [value.length, ...Buffer.from(value, 'latin1')]
}
