/**
 * What the layers may ask of the outside world, as interfaces that `io` implements.
 *
 * Why: the layers see no library, so tests and the simulator can put something else behind each port, and a
 * change of library stays inside `io`. Every call that waits for the network has a deadline of its own.
 */
import type { DropReason } from './drops.ts'
import type { Offence } from './offences.ts'
import type { Address, Direction, MessageId, PeerId, Topic, Verdict } from './types.ts'

/** Time and timers. `nowMs` never goes backwards and means nothing outside this process. */
export interface Clock {
  nowMs(): number
  /** Milliseconds since the Unix epoch, for what people and other machines see. */
  wallMs(): number
  /** Calls `fn` after each `periodMs` until the returned function is called. Never keeps the process alive. */
  every(periodMs: number, fn: () => void): () => void
  /** Calls `fn` once after `delayMs`, unless the returned function is called before. Never keeps the process alive. */
  after(delayMs: number, fn: () => void): () => void
}

/** A live connection. A peer may for a moment have two; it is gone when the last one closes. */
export interface ConnectionInfo {
  readonly peer: PeerId
  readonly address: Address
  readonly direction: Direction
  readonly openedAtMs: number
  /** The last round trip, in milliseconds; undefined before the first. */
  readonly rttMs: number | undefined
}

export interface HostEvents {
  connected(connection: ConnectionInfo): void
  /** The last connection to this peer has closed. */
  disconnected(peer: PeerId): void
  /** identify has told which protocols a peer speaks, and what it calls itself. Once for each connection. */
  identified(peer: PeerId, protocols: readonly string[], agent: string): void
  /** A connection to this peer was cut, because it no longer answers. */
  silent(peer: PeerId): void
  offence(peer: PeerId, offence: Offence, detail: string): void
}

/** A socket for as long as it lives; numbers are not used again. */
export type SocketId = number

/**
 * Who may connect. Asked by the host at each step of every connection, before the step after it costs anything.
 * Undefined lets it pass; anything else closes the socket.
 */
export interface Doorman {
  /** A socket has come in; nothing has been read from it. `ip` is canonical, or empty where there is none. */
  accept(socket: SocketId, ip: string): DropReason | undefined
  /** Somebody is about to be dialled. `ours`: by `Host.dial`; otherwise by a part of libp2p, such as Kademlia. */
  dial(address: Address, ours: boolean): DropReason | undefined
  /** The other side has proved its peer id. May take time, within the deadline of the handshakes. */
  authenticated(connection: {
    readonly socket: SocketId
    readonly peer: PeerId
    readonly address: Address
    readonly direction: Direction
  }): Promise<DropReason | undefined>
  /** A socket that was accepted, in or out, is gone, however far it came. */
  closed(socket: SocketId): void
}

/** How a protocol of ours is served and asked: one frame there, at most one back, on a stream of its own. */
export interface ProtocolLimits {
  /** A longer frame is refused before a byte of it is kept. */
  readonly frameMaxBytes: number
  /** From the opening of the stream to its end. */
  readonly timeoutMs: number
}

/** Bounds of a protocol of long-lived streams: any number of frames, each side sends on a stream that it opened. */
export interface ChannelLimits {
  /** A longer frame is refused before a byte of it is kept. */
  readonly frameMaxBytes: number
  /** What may wait towards one peer; a frame beyond it is not taken (`send` returns false). At least one frame. */
  readonly waitingMaxBytes: number
}

/** What a channel tells its owner. A handler that throws is a line in the log, and costs the stream where it read. */
export interface ChannelEvents {
  /** Frames can be sent to the peer from now on. Once for each time the channel opens. */
  opened(peer: PeerId): void
  /** One frame, also from a peer towards which the channel is not open. It may be kept: its bytes are the receiver's. */
  frame(peer: PeerId, frame: Uint8Array): void
  /**
   * What waited towards the peer has left: `waitingBytes` fell under a quarter of its maximum after it was above a half,
   * or after a frame was not taken.
   */
  drained(peer: PeerId): void
  /** After each `opened`, once: the stream or the connection has ended, or `close` was called. */
  closed(peer: PeerId): void
}

/** Long-lived streams of one protocol to any number of peers. */
export interface Channel {
  /**
   * Opens our sending side towards a connected peer. Resolves to true when frames can be sent, to false when the peer
   * doesn't speak the protocol or is gone. Calls while it opens, or when it is open, share the answer.
   * @throws FloodgateError ADDRESS for what is no peer id, and nothing else
   */
  open(peer: PeerId): Promise<boolean>
  /**
   * Takes a frame to send; false: not open, or no room. Frames of one tick travel together. The bytes are the channel's
   * from here on: they must not be changed.
   */
  send(peer: PeerId, frame: Uint8Array): boolean
  /** Bytes taken by `send` that the socket has not passed to the system, as far as they can be seen; 0 when not open. */
  waitingBytes(peer: PeerId): number
  /** Ends our sending side, and with it what waits there. None is fine. */
  close(peer: PeerId): void
}

/** Connections to other nodes. */
export interface Host {
  readonly peer: PeerId
  /** Where this node listens, with its peer id at the end; empty before `start`. */
  addresses(): Address[]
  start(events: HostEvents, doorman: Doorman): Promise<void>
  /** Closes every connection. May be called in any state, any number of times. */
  stop(): Promise<void>
  connections(): ConnectionInfo[]
  /**
   * Opens a connection; one that exists is taken when the address names its peer.
   * @throws FloodgateError ADDRESS, DIAL, TIMEOUT, DENIED
   */
  dial(address: Address, signal?: AbortSignal): Promise<PeerId>
  /** Closes all connections to a peer; none is fine. */
  close(peer: PeerId): Promise<void>
  /** Ends a socket at once; one that is gone is fine. */
  cut(socket: SocketId): void
  /** One round trip in milliseconds. @throws FloodgateError DIAL or TIMEOUT */
  ping(target: Address, signal?: AbortSignal): Promise<number>
  /**
   * Answers a protocol. The handler gets one frame, which it may keep, and returns one, or undefined to send none. One
   * that throws closes the stream. Frames that are too long, and streams that end in the middle of one, are offences
   * (`malformed`). To be called before `start`.
   */
  serve(
    protocol: string,
    limits: ProtocolLimits,
    handler: (peer: PeerId, frame: Uint8Array) => Promise<Uint8Array | undefined>,
  ): void
  /**
   * Sends a frame to a connected peer and waits for the one that comes back, empty when the stream just ends.
   * @throws FloodgateError NO_PEER, PROTOCOL (it does not speak it, or its frame is too long), TIMEOUT, DIAL
   */
  request(peer: PeerId, protocol: string, frame: Uint8Array, limits: ProtocolLimits): Promise<Uint8Array>
  /** A protocol of long-lived streams. To be called before `start`; a peer that breaks it is an offence (`malformed`). */
  channel(protocol: string, limits: ChannelLimits, events: ChannelEvents): Channel
  /** Bytes through all sockets since the start, with handshakes, encryption and framing, without TCP and IP. */
  traffic(): { sentBytes: number; receivedBytes: number }
}

/** Signatures with the identity keys of peers. */
export interface Signer {
  /** Whose signatures `sign` makes. */
  readonly peer: PeerId
  sign(bytes: Uint8Array): Promise<Uint8Array>
  /** False also for a text that is no peer id, or one that does not hold its key. Never rejects. */
  verify(peer: PeerId, bytes: Uint8Array, signature: Uint8Array): Promise<boolean>
}

/** Names in the DNS. Answers are capped, and every question has a deadline. */
export interface Resolver {
  /** The TXT records of a name, each joined to one text. @throws FloodgateError DIAL, TIMEOUT */
  txt(name: string): Promise<string[]>
  /** The A and AAAA records of a name. @throws FloodgateError DIAL, TIMEOUT */
  ips(name: string): Promise<string[]>
  /** What the system takes a name for, its hosts file included. Empty for a name that it does not know. Never rejects. */
  lookup(name: string): Promise<string[]>
}

/** A message out of gossip that waits for its verdict. */
export interface GossipMessage {
  readonly id: MessageId
  readonly topic: Topic
  readonly payload: Uint8Array
  readonly from: PeerId
  /** The handle by which gossip knows it: give it back to `settle`. */
  readonly ticket: string
}

export interface PubSubEvents {
  message(message: GossipMessage): void
  /** A further copy of a message that was handed out, on a topic with `echoes`. */
  echo(ticket: string, from: PeerId): void
  offence(peer: PeerId, offence: Offence, detail: string): void
}

export interface PublishResult {
  /** To how many peers the payload was handed. 0 is no failure: gossip offers it to peers that come soon. */
  readonly recipients: number
  /** Gossip has seen this message before, so nothing was sent. */
  readonly seen: boolean
}

/** Gossip: topics, meshes, payloads. Every message that it hands out must be settled, once. */
export interface PubSub {
  start(events: PubSubEvents): Promise<void>
  stop(): Promise<void>
  /** @param options `echoes`: further copies are told, too */
  subscribe(topic: Topic, options: { maxPayloadBytes: number; toAll: boolean; echoes?: boolean }): void
  unsubscribe(topic: Topic): void
  /**
   * Keeps a reference to the payload for some seconds: the caller must not change it.
   * @param options the message's id, so that it need not be computed again; whether it goes to every subscriber
   */
  publish(
    topic: Topic,
    payload: Uint8Array,
    options: { readonly id: MessageId; readonly toAll: boolean },
  ): Promise<PublishResult>
  settle(topic: Topic, ticket: string, from: PeerId, verdict: Verdict): void
  /** The neighbours in the topic's mesh. */
  meshPeers(topic: Topic): PeerId[]
  /** The connected peers that have subscribed to the topic. */
  subscribers(topic: Topic): PeerId[]
  /** What gossip thinks of a peer: 0 is neutral, bad ones are negative. */
  scoreOf(peer: PeerId): number
  /** Payloads that came in since `subscribe`, duplicates included. */
  copies(topic: Topic): number
}

/** One change in a `Store.write`. */
export type StoreChange = { readonly put: string; readonly value: Uint8Array } | { readonly delete: string }

/** Small records that survive a restart. Keys start with `/` and a lower-case name of their owner. */
export interface Store {
  get(key: string): Promise<Uint8Array | undefined>
  /** All changes or none. With `sync` they are on the disk when the promise resolves. */
  write(changes: readonly StoreChange[], options?: { sync: boolean }): Promise<void>
  /** In order of the keys. */
  entries(prefix: string): AsyncIterable<{ key: string; value: Uint8Array }>
  close(): Promise<void>
}

/** Structured logging for one component. `fields` must hold nothing secret. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/**
 * Counters and friends. A label's values must come from a small fixed set (reasons, verdicts, our own topics):
 * never peer or message ids. What is counted for every message is kept as a plain number by its owner and read
 * when the metrics are (`counterFrom`), since a labelled counter costs as much as a hash of the message.
 */
export interface Metrics {
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>
  counterFrom<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    read: () => Readings<L>,
  ): void
  gaugeFrom<L extends string>(name: string, help: string, labels: readonly L[], read: () => Readings<L>): void
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly L[],
  ): Histogram<L>
}

/** Values by label; for a metric without labels one entry with an empty record. */
export type Readings<L extends string> = Iterable<readonly [Record<L, string>, number]>

export interface Counter<L extends string> {
  inc(labels?: Record<L, string>, by?: number): void
}

export interface Histogram<L extends string> {
  observe(value: number, labels?: Record<L, string>): void
}

/** A source of numbers in [0, 1). Logic takes it as an argument, so that a seed replays it. */
export type RandomSource = () => number

/** Looks for parts of the node that hold the thread, and names them in the log. */
export interface Watchdog {
  /** Runs `fn` at once; when the event loop stood still, the longest such section is named. */
  section<T>(part: string, fn: () => T): T
}
