/**
 * Two ends of one TCP connection over loopback, as libp2p's transports make them, and a reader for what
 * arrives.
 */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { Socket } from 'node:net'
import type {
  ComponentLogger,
  Connection,
  Logger,
  MessageStream,
  MultiaddrConnection,
  Transport,
  Upgrader,
} from '@libp2p/interface'
import type { TCPComponents } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'

const silent: Logger = Object.assign(() => {}, {
  enabled: false,
  error: () => {},
  trace: () => {},
  newScope: () => silent,
})

/** Says nothing. */
export const silentLogger: ComponentLogger = { forComponent: () => silent }

/** Never aborts: the deadline of the suite is the only one. */
export const FOREVER = new AbortController().signal

export interface TcpPair {
  /** The end that dialled. */
  readonly near: MultiaddrConnection
  readonly nearSocket: Socket
  readonly far: MultiaddrConnection
  close(): Promise<void>
}

/** Hands out connections as they come from the transport, without upgrading them. */
class Catcher extends EventEmitter<{ inbound: [MultiaddrConnection] }> {
  readonly upgrader: Upgrader = {
    upgradeInbound: async (connection: MultiaddrConnection) => {
      this.emit('inbound', connection)
    },
    upgradeOutbound: async (connection: MultiaddrConnection) => connection as unknown as Connection,
    createInboundAbortSignal: () => assert.fail('not used by TCP'),
    getStreamMuxers: () => new Map(),
    getConnectionEncrypters: () => new Map(),
  }
}

type MakeTransport = (components: TCPComponents) => Transport

export async function tcpPair(nearTcp: MakeTransport, farTcp: MakeTransport): Promise<TcpPair> {
  const catcher = new Catcher()
  const { upgrader } = catcher
  const listener = farTcp({ logger: silentLogger }).createListener({ upgrader })
  await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))
  const [address] = listener.getAddrs()
  assert(address !== undefined)
  const inbound = once(catcher, 'inbound')
  const dialled: unknown = await nearTcp({ logger: silentLogger }).dial(address, {
    upgrader,
    signal: FOREVER,
  })
  const near = dialled as MultiaddrConnection
  const [far] = (await inbound) as [MultiaddrConnection]
  return {
    near,
    nearSocket: (near as unknown as { socket: Socket }).socket,
    far,
    close: async () => {
      near.abort(new Error('the test is over'))
      far.abort(new Error('the test is over'))
      await listener.close()
    },
  }
}

/** Collects what a connection receives. */
export class Reader {
  readonly #parts: Uint8Array[] = []
  readonly #more = new EventEmitter<{ more: [] }>()
  #sizeBytes = 0

  constructor(connection: MessageStream) {
    connection.addEventListener('message', event => {
      this.#parts.push(event.data.subarray())
      this.#sizeBytes += event.data.byteLength
      this.#more.emit('more')
    })
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** All that has arrived, once it is at least this much. */
  async read(sizeBytes: number): Promise<Buffer> {
    while (this.#sizeBytes < sizeBytes) await once(this.#more, 'more')
    return Buffer.concat(this.#parts)
  }
}

/** The next event of a connection. */
export async function next(connection: MessageStream, event: 'drain' | 'close'): Promise<void> {
  await once(connection as unknown as EventTarget, event)
}
