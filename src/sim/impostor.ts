/**
 * The manners of an impostor: what makes nodes take libp2p with gossipsub for one of themselves.
 *
 * It shakes hands on every connection, whoever has dialled, names the address at which it listens, and tells those who
 * ask of as many of its own kind as an answer holds, at every moment at which they may be asked again.
 */
import type { Libp2p } from '@libp2p/interface'
import type { Endpoint } from '../core/endpoint.ts'
import type { Log } from '../core/ports.ts'
import { Protocols } from '../io/protocols.ts'
import {
  ANSWER_MAX,
  ANSWER_MAX_BYTES,
  answerOf,
  EXCHANGE_TIMEOUT_MS,
  entryOf,
  exchangeProtocol,
} from '../peers/exchange-message.ts'
import { HELLO_LIMITS, helloOf, helloProtocol, NONCE_BYTES } from '../peers/hello.ts'

export interface Disguise {
  /** The network that it pretends to belong to. */
  readonly network: string
  /** Where it listens. */
  readonly endpoint: Endpoint
  /** Where its kind listens; of many, the first are told of. */
  readonly kin: readonly Endpoint[]
}

/** As soon as a node with a small book asks to be asked again. */
const RETRY_AFTER_S = 10

const ANSWER_LIMITS = { frameMaxBytes: ANSWER_MAX_BYTES, timeoutMs: EXCHANGE_TIMEOUT_MS }

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Gives libp2p these manners. Before it starts. */
export async function disguise(libp2p: Libp2p, { network, endpoint, kin }: Disguise): Promise<void> {
  const protocols = new Protocols({ libp2p, log: SILENT, offence: () => {} })
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  const hello = helloOf({ network, agent: 'impostor/1', addresses: [endpoint], nonce })
  const answer = (): Uint8Array => {
    const nowS = Math.floor(Date.now() / 1_000)
    return answerOf(
      kin.slice(0, ANSWER_MAX).map(other => entryOf(other, nowS)),
      RETRY_AFTER_S,
    )
  }
  protocols.serve(helloProtocol(network), HELLO_LIMITS, async () => hello)
  protocols.serve(exchangeProtocol(network), ANSWER_LIMITS, async () => answer())
  await protocols.ready()
  libp2p.addEventListener('connection:open', ({ detail }) => {
    if (detail.direction === 'inbound') return
    // Who does not answer will send it away; it comes again.
    protocols.request(detail, helloProtocol(network), hello, HELLO_LIMITS).catch(() => {})
  })
}
