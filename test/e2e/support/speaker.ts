/**
 * Peers that shake hands by hand: libp2p as it comes, by which a test says hello as it likes, and hears why it is left.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Identify, identify } from '@libp2p/identify'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { readFrame, writeFrame } from '../../../src/io/frame.ts'
import { goodbyeProtocol, readGoodbye } from '../../../src/peers/goodbye.ts'
import { type Hello, helloOf, helloProtocol, readHello } from '../../../src/peers/hello.ts'
import { tcpFrom } from './loopback.ts'

/** The network of a node whose configuration says nothing else. */
const NETWORK = 'floodgate-dev'

const DEADLINE_MS = 10_000
const FRAME_MAX_BYTES = 65_536

export interface SpeakerOptions {
  readonly network?: string
  /** Where it listens, and dials from. */
  readonly ip?: string
  /** It says that it speaks our hello, but never answers one. */
  readonly isMute?: boolean
}

export class Speaker {
  readonly libp2p: Libp2p<{ identify: Identify }>
  /** Why it was left, each time that it was told. */
  readonly goodbyes: string[] = []
  readonly #network: string

  constructor(libp2p: Libp2p<{ identify: Identify }>, network: string) {
    this.libp2p = libp2p
    this.#network = network
  }

  get id(): string {
    return this.libp2p.peerId.toString()
  }

  get address(): string {
    const [address] = this.libp2p.getMultiaddrs()
    assert.ok(address !== undefined, 'the speaker listens nowhere')
    return address.toString()
  }

  get isConnected(): boolean {
    return this.libp2p.getConnections().length > 0
  }

  /** A frame that says hello; what is not said is as an honest node has it. */
  hello(said: Partial<Hello> = {}): Uint8Array {
    const nonce = this.libp2p.peerId.toMultihash().bytes.slice(-8)
    return helloOf({ network: this.#network, addresses: [], agent: 'speaker', nonce, ...said })
  }

  /** Opens a connection, and says nothing. */
  async dial(address: string): Promise<Connection> {
    return await this.libp2p.dial(multiaddr(address))
  }

  /**
   * Sends a frame in place of a hello, on the connection that there is.
   * @returns the node's own hello; undefined when it ends the stream without one
   * @throws whatever has ended the stream
   */
  async say(frame: Uint8Array = this.hello()): Promise<Hello | undefined> {
    const [connection] = this.libp2p.getConnections()
    assert.ok(connection !== undefined, 'not connected')
    const stream = await connection.newStream(helloProtocol(this.#network))
    const answering = readFrame(stream, FRAME_MAX_BYTES, AbortSignal.timeout(DEADLINE_MS))
    answering.catch(() => {})
    writeFrame(stream, frame)
    await stream.close()
    const answer = await answering
    return answer === undefined ? undefined : readHello(answer).value
  }

  /** Connects, and shakes hands. */
  async greet(address: string): Promise<void> {
    await this.dial(address)
    const answer = await this.say()
    assert.equal(answer?.network, this.#network)
  }

  async answer(stream: Stream): Promise<void> {
    await readFrame(stream, FRAME_MAX_BYTES, AbortSignal.timeout(DEADLINE_MS))
    writeFrame(stream, this.hello())
    await stream.close()
  }

  async hear(stream: Stream): Promise<void> {
    const frame = await readFrame(stream, FRAME_MAX_BYTES, AbortSignal.timeout(DEADLINE_MS))
    this.goodbyes.push(readGoodbye(frame ?? new Uint8Array()).value ?? 'unreadable')
    await stream.close()
  }
}

export async function startSpeaker(
  t: TestContext,
  { network = NETWORK, ip = '127.0.0.1', isMute = false }: SpeakerOptions = {},
): Promise<Speaker> {
  const libp2p = await createLibp2p({
    addresses: { listen: [`/ip4/${ip}/tcp/0`] },
    transports: [tcpFrom(ip)],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  })
  t.after(() => libp2p.stop())
  const speaker = new Speaker(libp2p, network)
  // The node may cut a stream at any moment; what a test waits for is what it has heard.
  await libp2p.handle(helloProtocol(network), stream =>
    isMute ? undefined : speaker.answer(stream).catch(() => {}),
  )
  await libp2p.handle(goodbyeProtocol(network), stream => speaker.hear(stream).catch(() => {}))
  return speaker
}
