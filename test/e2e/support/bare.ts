/**
 * Peers that are not Floodgate: libp2p as it comes, with its gossipsub, or with none so that a test speaks by hand.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type GossipSub, type GossipsubOpts, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { RPC } from '@libp2p/gossipsub/message'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createBLAKE2b } from 'hash-wasm'
import { createLibp2p } from 'libp2p'
import { until } from './until.ts'

const MESHSUB = '/meshsub/1.1.0'

const transport = {
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
}

/** A stream of gossipsub, with the parts by which a test can break it. */
interface GossipStream {
  readonly rawStream: Stream
}

/** gossipsub with its private parts that tests reach into. */
export interface OpenGossip extends GossipSub {
  getMeshPeers(topic: string): string[]
  readonly streamsInbound: Map<string, GossipStream>
  readonly streamsOutbound: Map<string, GossipStream>
}

export type GossipPeer = Libp2p<{ identify: Identify; gossip: OpenGossip }>

/** Starts js-libp2p with its gossipsub; what is not in `options` is as the library has it. */
export async function startGossipPeer(
  t: TestContext,
  options: Partial<GossipsubOpts> = {},
): Promise<GossipPeer> {
  const peer = await createLibp2p({
    ...transport,
    services: { identify: identify(), gossip: gossipsub(options) },
  })
  t.after(() => peer.stop())
  // The library declares a narrower interface than the class has.
  return peer as unknown as GossipPeer
}

const hasher = await createBLAKE2b(160)

/** The message id as `docs/protocols.md` defines it, written a second time. */
function documentedId(topic: string, payload: Uint8Array): Uint8Array {
  const name = Buffer.from(topic)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(name.length)
  return hasher.init().update(length).update(name).update(payload).digest('binary')
}

/** The two options by which a foreign gossipsub takes part in an unsigned Floodgate network. */
export const FLOODGATE_GOSSIP: Partial<GossipsubOpts> = {
  globalSignaturePolicy: StrictNoSign,
  msgIdFn: message => documentedId(message.topic, message.data),
}

/** What a gossip peer receives on a topic, as texts, in order. Subscribes. */
export function gatherTexts(peer: GossipPeer, topic: string): string[] {
  const texts: string[] = []
  peer.services.gossip.subscribe(topic)
  peer.services.gossip.addEventListener('message', event => {
    if (event.detail.topic === topic) texts.push(Buffer.from(event.detail.data).toString())
  })
  return texts
}

/** The parts of a gossip frame; what is left out is empty. */
export type Frame = Partial<RPC>

/** A frame as it stands on the wire: its length as a varint, and the bytes. */
export function encodeFrame(frame: Frame): Uint8Array {
  const bytes = RPC.encode({ subscriptions: [], messages: [], ...frame })
  return Buffer.concat([varint(bytes.byteLength), bytes])
}

export function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  bytes.push(rest)
  return Uint8Array.from(bytes)
}

/** A peer whose gossip is written by the test, byte by byte. */
export class HandPeer {
  readonly libp2p: Libp2p
  /** The frames that the node has sent to us. */
  readonly frames: RPC[] = []
  #stream: Stream | undefined

  constructor(libp2p: Libp2p) {
    this.libp2p = libp2p
  }

  get id(): string {
    return this.libp2p.peerId.toString()
  }

  isConnected(): boolean {
    return this.libp2p.getConnections().length > 0
  }

  /** Dials a node, and opens a gossip stream to it. */
  async dial(address: string): Promise<void> {
    const connection = await this.libp2p.dial(multiaddr(address))
    this.#stream = await connection.newStream(MESHSUB)
  }

  /** Resets the gossip stream and opens another one. */
  async reopen(): Promise<void> {
    this.#stream?.abort(new Error('a test opens another stream'))
    const [connection] = this.libp2p.getConnections()
    assert.ok(connection !== undefined, 'not connected')
    this.#stream = await connection.newStream(MESHSUB)
  }

  write(bytes: Uint8Array): void {
    assert.ok(this.#stream !== undefined, 'no stream')
    this.#stream.send(bytes)
  }

  send(frame: Frame): void {
    this.write(encodeFrame(frame))
  }

  /** Reads what the node sends on a stream that it opened. */
  receive(stream: Stream): void {
    let rest: Buffer = Buffer.alloc(0)
    stream.addEventListener('message', event => {
      rest = Buffer.concat([rest, event.data.subarray()])
      for (let frame = firstFrame(rest); frame !== undefined; frame = firstFrame(rest)) {
        this.frames.push(RPC.decode(frame.bytes))
        rest = frame.rest
      }
    })
  }
}

/**
 * Starts a peer that speaks gossip by hand, and connects it to the node at the address.
 * @param mute protocols that it says it speaks, and on which it never says a word
 */
export async function startHandPeer(
  t: Pick<TestContext, 'after'>,
  address: string,
  mute: readonly string[] = [],
): Promise<HandPeer> {
  const libp2p = await createLibp2p({ ...transport, services: { identify: identify() } })
  t.after(() => libp2p.stop())
  const peer = new HandPeer(libp2p)
  await libp2p.handle(MESHSUB, stream => peer.receive(stream))
  for (const protocol of mute) await libp2p.handle(protocol, () => {})
  await peer.dial(address)
  // The node opens its own stream in return, and its first frame names its topics.
  await until('the node has answered with gossip of its own', () => peer.frames.length > 0)
  return peer
}

function firstFrame(bytes: Buffer): { bytes: Buffer; rest: Buffer } | undefined {
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    length += (byte & 0x7f) * 0x80 ** at
    if (byte >= 0x80) continue
    const start = at + 1
    if (bytes.length < start + length) return undefined
    return { bytes: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) }
  }
  return undefined
}
