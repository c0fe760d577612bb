/**
 * Heads of swarms: made and signed for a payload of ours, checked for those of others.
 *
 * Rules:
 * - A signature costs a tenth of a millisecond, so at most `CHECKS_MAX` are being checked, `CHECKS_MAX_PER_PEER` of them
 *   for one peer. A head beyond that is not looked at.
 * - What a head says of its payload is believed until the payload is there; then its id and its header must be those of
 *   the head (`isPayloadOf`), or the origin has lied.
 */
import { messageId, messageKey } from '../core/hash.ts'
import type { Signer } from '../core/ports.ts'
import type { MessageId, PeerId, Topic } from '../core/types.ts'
import type { HeaderOf } from '../core/upper.ts'
import { type SwarmHead, signedBytes } from './announcement.ts'
import { merkleTree } from './merkle.ts'

const CHECKS_MAX = 256
const CHECKS_MAX_PER_PEER = 16

const NO_HEADER = new Uint8Array(0)

/** The head of a payload of ours. */
export async function headOf(
  network: string,
  signer: Signer,
  topic: Topic,
  { id, payload, header }: { id: MessageId; payload: Uint8Array; header: Uint8Array },
): Promise<SwarmHead> {
  const sizeBytes = payload.byteLength
  const chunkBytes = chunkBytesFor(sizeBytes)
  const { root } = merkleTree(payload, chunkBytes)
  const head = { id, sizeBytes, chunkBytes, root, header, origin: signer.peer }
  return { ...head, signature: await signer.sign(signedBytes(network, topic, head)) }
}

/** Whether a payload is what its head says. @throws what the user's function throws */
export function isPayloadOf(
  topic: Topic,
  head: SwarmHead,
  payload: Uint8Array,
  headerOf: HeaderOf | undefined,
): boolean {
  if (messageKey(messageId(topic, payload)) !== messageKey(head.id)) return false
  return Buffer.compare(headerOf?.(payload) ?? NO_HEADER, head.header) === 0
}

/** Small enough for many hops at once, large enough that most of it is payload. */
function chunkBytesFor(sizeBytes: number): number {
  if (sizeBytes <= 256 * 1_024) return 8_192
  if (sizeBytes <= 768 * 1_024) return 16_384
  return sizeBytes <= 8 * 1_024 * 1_024 ? 32_768 : 65_536
}

export class HeadChecks {
  readonly #network: string
  readonly #signer: Signer
  /** How many are under way, by the peer that brought them. */
  readonly #checking = new Map<PeerId, number>()
  #count = 0

  constructor(network: string, signer: Signer) {
    this.#network = network
    this.#signer = signer
  }

  /** Checks the signature of a head. @returns false when too many are being checked; then `done` is not called */
  check(topic: Topic, from: PeerId, head: SwarmHead, done: (isSigned: boolean) => void): boolean {
    const ofPeer = this.#checking.get(from) ?? 0
    if (this.#count >= CHECKS_MAX || ofPeer >= CHECKS_MAX_PER_PEER) return false
    this.#count++
    this.#checking.set(from, ofPeer + 1)
    void this.#verify(topic, head).then(isSigned => {
      this.#count--
      const left = (this.#checking.get(from) ?? 1) - 1
      if (left === 0) this.#checking.delete(from)
      else this.#checking.set(from, left)
      done(isSigned)
    })
    return true
  }

  async #verify(topic: Topic, head: SwarmHead): Promise<boolean> {
    return await this.#signer.verify(head.origin, signedBytes(this.#network, topic, head), head.signature)
  }
}
