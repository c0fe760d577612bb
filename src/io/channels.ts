/**
 * All channels of a host: made before it starts, known to libp2p when it does, ended when it stops.
 *
 * Rules:
 * - libp2p refuses a peer more than `CHANNEL_STREAMS_MAX` streams of a protocol on a connection, before they get here.
 * - After `stop` no stream is left, and none comes.
 */
import type { Connection, Libp2p } from '@libp2p/interface'
import type { Channel, ChannelEvents, ChannelLimits } from '../core/ports.ts'
import { Backlog } from './backlog.ts'
import { CHANNEL_STREAMS_MAX, type ChannelParts, StreamChannel } from './channel.ts'
import type { SharedConnection } from './channel-sender.ts'
import { ChannelTurns } from './channel-turns.ts'

export interface ChannelsParts extends Omit<ChannelParts, 'sharedOf'> {
  readonly libp2p: Pick<Libp2p, 'handle'>
}

export class Channels {
  readonly #parts: ChannelsParts
  readonly #channels: StreamChannel[] = []
  readonly #registered: Promise<void>[] = []
  readonly #shared = new WeakMap<Connection, SharedConnection>()

  constructor(parts: ChannelsParts) {
    this.#parts = parts
  }

  add(protocol: string, limits: ChannelLimits, events: ChannelEvents): Channel {
    const sharedOf = (connection: Connection): SharedConnection => this.#sharedOf(connection)
    const channel = new StreamChannel(protocol, limits, events, { ...this.#parts, sharedOf })
    const registered = this.#parts.libp2p.handle(
      protocol,
      (stream, connection) => channel.accept(stream, connection),
      {
        maxInboundStreams: CHANNEL_STREAMS_MAX,
        maxOutboundStreams: CHANNEL_STREAMS_MAX,
        // A relayed connection with a limit on its bytes would end in the middle.
        runOnLimitedConnection: false,
      },
    )
    registered.catch(() => {})
    this.#channels.push(channel)
    this.#registered.push(registered)
    return channel
  }

  /** Resolves when all channels are known to libp2p. */
  async ready(): Promise<void> {
    await Promise.all(this.#registered)
  }

  stop(): void {
    for (const channel of this.#channels) channel.stop()
  }

  #sharedOf(connection: Connection): SharedConnection {
    const known = this.#shared.get(connection)
    if (known !== undefined) return known
    const shared = { backlog: new Backlog(connection), turns: new ChannelTurns() }
    this.#shared.set(connection, shared)
    return shared
  }
}
