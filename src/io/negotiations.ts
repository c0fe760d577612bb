/**
 * The parts of libp2p that agree on a protocol with the other side, each made so that the other side is watched
 * (`negotiation.ts`): on a new connection the encrypter and the multiplexer, then each stream, in both directions.
 *
 * Rules:
 * - Until it has proved its peer id, the other side may send as much as a handshake needs and no more, whoever dialled.
 * - Who breaks the rules of a negotiation loses the connection, and where its peer id is proved, that is told.
 */
import assert from 'node:assert/strict'
import type {
  ConnectionEncrypter,
  MessageStream,
  MultiaddrConnection,
  Stream,
  StreamMuxer,
  StreamMuxerFactory,
  Transport,
  Upgrader,
  UpgraderOptions,
} from '@libp2p/interface'
import type { Libp2pOptions } from 'libp2p'
import type { PeerId } from '../core/types.ts'
import { boundBytes, Negotiation, watchStream } from './negotiation.ts'

type Make<Name extends 'transports' | 'connectionEncrypters' | 'streamMuxers'> = NonNullable<
  Libp2pOptions[Name]
>[number]

/** What a multiplexer of `@libp2p/utils` is inside: each stream comes out of one of these methods, or goes into one. */
interface MuxerInside extends StreamMuxer {
  onCreateStream(options: object): Stream
  onRemoteStream(stream: Stream): void
}

/** Negotiation and a Noise handshake are a few hundred bytes; a hasty peer sends its first requests right behind. */
const EARLY_MAX_BYTES = 8_192

/** Of the protocols that libp2p reads with `lpStream`; we and gossipsub have readers of our own. */
const FRAMED = /^\/ipfs\/id\/1\.0\.0$|\/kad\/1\.0\.0$/

export class Negotiations {
  /** Told of peers that have broken the rules. */
  malformed: (peer: PeerId, detail: string) => void = () => {}
  /** Of the connections that are not encrypted yet: what to do when that begins, and when it is done. */
  readonly #plain = new WeakMap<object, { readonly negotiation: Negotiation; readonly lift: () => void }>()
  /** Of the connections that are encrypted. */
  readonly #secured = new WeakMap<
    object,
    { readonly peer: PeerId; readonly negotiation: Negotiation | undefined }
  >()

  transport(make: Make<'transports'>): Make<'transports'> {
    return components => {
      const transport: Transport = make(components)
      const dial = transport.dial.bind(transport)
      const createListener = transport.createListener.bind(transport)
      transport.dial = (address, options) =>
        dial(address, { ...options, upgrader: this.#upgrader(options.upgrader) })
      transport.createListener = options =>
        createListener({ ...options, upgrader: this.#upgrader(options.upgrader) })
      return transport
    }
  }

  encrypter(make: Make<'connectionEncrypters'>): Make<'connectionEncrypters'> {
    return components => {
      const encrypter: ConnectionEncrypter = make(components)
      // The rest of libp2p is not there yet when this runs.
      const later = components as unknown as { readonly upgrader: Upgrader }
      type Secure = typeof encrypter.secureInbound
      const watched =
        (secure: Secure): Secure =>
        async (plain, options) => {
          const early = this.#plain.get(plain)
          early?.negotiation.end()
          const secured = await secure.call(encrypter, plain, options)
          early?.lift()
          const { connection, remotePeer, streamMuxer } = secured
          // A multiplexer may have been agreed on within the handshake.
          this.#secure(
            connection,
            remotePeer.toString(),
            streamMuxer === undefined ? later.upgrader : undefined,
          )
          return secured
        }
      encrypter.secureInbound = watched(encrypter.secureInbound)
      encrypter.secureOutbound = watched(encrypter.secureOutbound)
      return encrypter
    }
  }

  multiplexer(make: Make<'streamMuxers'>): Make<'streamMuxers'> {
    return components => {
      const factory: StreamMuxerFactory = make(components)
      const later = components as unknown as { readonly registrar: { getProtocols(): string[] } }
      const createStreamMuxer = factory.createStreamMuxer.bind(factory)
      factory.createStreamMuxer = connection => {
        const { peer, negotiation } = this.#secured.get(connection) ?? {}
        negotiation?.end()
        const muxer = createStreamMuxer(connection)
        const refuse = (error: Error): void => {
          muxer.abort(error)
          this.#refuse(connection, peer, error)
        }
        watchStreams(muxer as MuxerInside, () => later.registrar.getProtocols(), refuse)
        return muxer
      }
      return factory
    }
  }

  /** An upgrader that watches each connection before `upgrader` gets it. */
  #upgrader(upgrader: Upgrader): Upgrader {
    return {
      upgradeInbound: (connection: MultiaddrConnection, options: UpgraderOptions) => {
        this.#begin(connection, upgrader)
        return upgrader.upgradeInbound(connection, options)
      },
      upgradeOutbound: (connection: MultiaddrConnection, options: UpgraderOptions) => {
        this.#begin(connection, upgrader)
        return upgrader.upgradeOutbound(connection, options)
      },
      createInboundAbortSignal: signal => upgrader.createInboundAbortSignal(signal),
      getStreamMuxers: () => upgrader.getStreamMuxers(),
      getConnectionEncrypters: () => upgrader.getConnectionEncrypters(),
    }
  }

  #begin(connection: MultiaddrConnection, upgrader: Upgrader): void {
    const refuse = (error: Error): void => connection.abort(error)
    const offered = (): Iterable<string> => upgrader.getConnectionEncrypters().keys()
    const negotiation = new Negotiation(connection, { isLast: lastOf(connection, offered), refuse })
    // Outside of it, so that what waits there is counted too.
    const lift = boundBytes(connection, EARLY_MAX_BYTES, refuse)
    this.#plain.set(connection, { negotiation, lift })
  }

  /** @param upgrader present where a multiplexer is still to be agreed on */
  #secure(connection: MessageStream, peer: PeerId, upgrader: Upgrader | undefined): void {
    const refuse = (error: Error): void => this.#refuse(connection, peer, error)
    const negotiation =
      upgrader === undefined
        ? undefined
        : new Negotiation(connection, {
            isLast: lastOf(connection, () => upgrader.getStreamMuxers().keys()),
            refuse,
          })
    this.#secured.set(connection, { peer, negotiation })
  }

  #refuse(connection: MessageStream, peer: PeerId | undefined, error: Error): void {
    connection.abort(error)
    if (peer !== undefined) this.malformed(peer, `a negotiation: ${error.message}`)
  }
}

function watchStreams(muxer: MuxerInside, protocols: () => string[], refuse: (error: Error) => void): void {
  assert.ok(
    typeof muxer.onCreateStream === 'function' && typeof muxer.onRemoteStream === 'function',
    '@libp2p/utils has changed: a multiplexer no longer makes and takes streams in these methods',
  )
  const watch = (stream: Stream): void =>
    watchStream(stream, {
      isLast: lastOf(stream, protocols),
      isFramed: protocol => FRAMED.test(protocol),
      refuse,
    })
  const onCreateStream = muxer.onCreateStream.bind(muxer)
  const onRemoteStream = muxer.onRemoteStream.bind(muxer)
  muxer.onCreateStream = options => {
    const stream = onCreateStream(options)
    watch(stream)
    return stream
  }
  muxer.onRemoteStream = stream => {
    watch(stream)
    onRemoteStream(stream)
  }
}

/**
 * The side that was asked waits for a proposal that it offers itself. The one that asks has its answer with the first
 * message that is none of the small talk: an honest peer repeats what was proposed.
 */
function lastOf(
  { direction }: { readonly direction: 'inbound' | 'outbound' },
  offered: () => Iterable<string>,
): (message: string) => boolean {
  return direction === 'outbound' ? () => true : message => [...offered()].includes(message)
}
