/**
 * A socket of the simulated network as libp2p's `MultiaddrConnection`: what `@libp2p/tcp` makes of a socket of Node's.
 */
import type { Logger, MessageStreamDirection } from '@libp2p/interface'
import { AbstractMultiaddrConnection } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Traffic } from '../io/transport.ts'
import type { Socket } from './socket.ts'

export interface SimConnectionInit {
  readonly socket: Socket
  readonly remoteAddr: Multiaddr
  readonly direction: MessageStreamDirection
  readonly log: Logger
  /** Counts up by what goes through. */
  readonly traffic: Traffic
}

export class SimConnection extends AbstractMultiaddrConnection {
  readonly #socket: Socket
  readonly #traffic: Traffic

  constructor(init: SimConnectionInit) {
    super(init)
    this.#socket = init.socket
    this.#traffic = init.traffic
    init.socket.attach({
      onData: bytes => {
        this.#traffic.receivedBytes += bytes.byteLength
        withoutStacks(() => this.onData(bytes))
      },
      onDrain: () => this.safeDispatchEvent('drain'),
      onEnd: () => this.onTransportClosed(),
      onReset: () => this.abort(new Error('read ECONNRESET')),
    })
  }

  override sendData(data: Uint8ArrayList): { sentBytes: number; canSendMore: boolean } {
    const sentBytes = data.byteLength
    this.#traffic.sentBytes += sentBytes
    return { sentBytes, canSendMore: this.#socket.write(data) }
  }

  override async sendClose(): Promise<void> {
    this.#socket.end()
  }

  override sendReset(): void {
    this.#socket.reset()
  }

  override sendPause(): void {
    this.#socket.pause(true)
  }

  override sendResume(): void {
    this.#socket.pause(false)
  }
}

/**
 * Noise's decoder throws, and catches, an error for every piece of data to say that no more is there. Taking its
 * stack was 7 % of a run.
 */
function withoutStacks(fn: () => void): void {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    fn()
  } finally {
    Error.stackTraceLimit = limit
  }
}
