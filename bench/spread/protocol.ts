/**
 * What the benchmark and its nodes say to each other: a node prints `Born`, then answers each `Request` in turn.
 */
import type { SocketBytes } from './sockets.ts'

/** `bulk` has the variant's mode; `urgent` is flooded, and joined only for the second part. */
export type TopicName = 'bulk' | 'urgent'

export interface Born {
  readonly address: string
}

export interface NodeState extends SocketBytes {
  readonly peers: number
  /** On the topic `bulk`, except this node. */
  readonly subscribers: number
  readonly meshPeers: number
  /** User and system time since the start of the process. */
  readonly cpuUs: number
  /** For how long its only thread could have run and had no processor, since the start; 0 where the kernel doesn't say. */
  readonly waitedUs: number
  /** Connections lost and offences seen since `settled`: none is expected. */
  readonly problems: readonly string[]
}

/** Each with what answers it. */
export interface Requests {
  dial: { with: { readonly addresses: readonly string[] }; answer: null }
  state: { with: object; answer: NodeState }
  /** The network is there: problems before that are those of a busy machine. */
  settled: { with: object; answer: null }
  /** Answered when the network has taken it. */
  publish: { with: { readonly number: number; readonly sizeBytes: number }; answer: null }
  /** When the message of that number came, in microseconds since it was sent; null when it didn't come in time. */
  arrival: { with: { readonly number: number; readonly timeoutMs: number }; answer: number | null }
  /** Small messages on `urgent`, from now on and for that long; answered at once. */
  chatter: { with: { readonly ratePerS: number; readonly forMs: number }; answer: null }
  /** Of the small messages since the last such question. */
  chatted: { with: object; answer: Chat }
}

export type RequestName = keyof Requests

export interface Request<N extends RequestName = RequestName> {
  readonly do: N
  readonly with: Requests[N]['with']
}

export interface Chat {
  readonly sent: number
  /** Of each that came, since it was sent. */
  readonly latenciesUs: readonly number[]
}
