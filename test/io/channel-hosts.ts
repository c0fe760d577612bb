/**
 * Hosts with a channel on real sockets, and peers that are libp2p and nothing more, by which a test says what it likes.
 */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import type { Channel, ChannelLimits } from '../../src/core/ports.ts'
import type { PeerId } from '../../src/core/types.ts'
import { until, within } from '../e2e/support/until.ts'
import { dialBare, startBarePeer, startHost, type TestHost } from './hosts.ts'

export const PROTOCOL = '/floodgate/test/channel/1'
export const OTHER = '/floodgate/test/channel/2'
const LIMITS: ChannelLimits = { frameMaxBytes: 100_000, waitingMaxBytes: 1_000_000 }

export interface Speaker extends TestHost {
  readonly channel: Channel
  /** What the channel has told, in order. */
  readonly heard: string[]
  readonly frames: { readonly peer: PeerId; readonly frame: Uint8Array }[]
}

export interface SpeakerOptions {
  readonly limits?: ChannelLimits
  readonly protocol?: string
  onFrame?(frame: Uint8Array): void
  onDrained?(peer: PeerId): void
}

export async function startSpeaker(t: TestContext, options: SpeakerOptions = {}): Promise<Speaker> {
  const heard: string[] = []
  const frames: Speaker['frames'] = []
  let channel: Channel | undefined
  const host = await startHost(t, {
    prepare: opened => {
      channel = opened.host.channel(options.protocol ?? PROTOCOL, options.limits ?? LIMITS, {
        opened: peer => void heard.push(`opened ${peer}`),
        closed: peer => void heard.push(`closed ${peer}`),
        drained: peer => {
          heard.push(`drained ${peer}`)
          options.onDrained?.(peer)
        },
        frame: (peer, frame) => {
          frames.push({ peer, frame })
          options.onFrame?.(frame)
        },
      })
    },
  })
  assert.ok(channel !== undefined)
  return { ...host, channel, heard, frames }
}

/** Two speakers, connected; the near one's channel is open. */
export async function pair(t: TestContext, near: SpeakerOptions = {}, far: SpeakerOptions = {}) {
  const [nearHost, farHost] = [await startSpeaker(t, near), await startSpeaker(t, far)]
  await nearHost.host.dial(farHost.address)
  const to = farHost.host.peer
  assert.equal(await nearHost.channel.open(to), true)
  return { near: nearHost, far: farHost, to }
}

/** A speaker, and a peer that is connected to it and does what it likes. */
export async function withBare(t: TestContext, options: SpeakerOptions = {}) {
  const speaker = await startSpeaker(t, options)
  const peer = await startBarePeer(t)
  const streams: Stream[] = []
  await peer.handle(PROTOCOL, stream => void streams.push(stream))
  const connection = await dialBare(peer, speaker.address)
  await until('the speaker knows of it', () => speaker.told.connected.length === 1)
  const id = peer.peerId.toString()
  return { speaker, peer, id, connection, streams, open: () => connection.newStream(PROTOCOL) }
}

export function ended(stream: Stream): Promise<Error | undefined> {
  const closed = new Promise<Error | undefined>(resolve => {
    if (stream.status !== 'open') resolve(undefined)
    stream.addEventListener('close', ({ error }) => resolve(error))
  })
  return within('the stream has ended', 5_000, closed)
}

export function streamsOf(connections: readonly Connection[]): number {
  return connections.flatMap(it => it.streams).filter(it => it.protocol === PROTOCOL).length
}

/** The socket of a bare peer's connection. */
export function socketOf(connection: Connection): Socket {
  return (connection as unknown as { maConn: { socket: Socket } }).maConn.socket
}

export function offencesOf(speaker: Speaker): string[] {
  return speaker.told.offences.map(({ offence, detail }) => `${offence} ${detail}`)
}

/** A frame of so many bytes, each of which tells which frame it is. */
export function numbered(index: number, sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill(index)
}
