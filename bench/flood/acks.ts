/**
 * The side channel of the flood benchmark: a loopback socket on which the receiver says how many messages
 * it has.
 *
 * It is outside the network under test, so that no variant pays for it more than another. The sender names
 * after how many messages it wants to hear (`every`), so the channel costs next to nothing.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** What the receiver tells: its messages so far, and its CPU time in microseconds when it was asked. */
interface Ack {
  readonly count: number
  readonly cpuUs?: number
}

interface Wish {
  readonly every?: number
  readonly cpu?: true
}

/** User and system time of this process over all its threads. */
export function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** An error means that the other process has ended, which the parent notices by itself. */
function eachLine(socket: Socket, take: (line: string) => void): void {
  createInterface({ input: socket })
    .on('line', take)
    .on('error', () => {})
}

/** The receiver's side. */
export class AckServer {
  readonly #server: Server
  #socket: Socket | undefined
  #count = 0
  #acked = 0
  #every = 1

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', socket => {
      this.#socket = socket.setNoDelay(true)
      eachLine(socket, line => this.#wish(JSON.parse(line)))
    })
  }

  static async listen(): Promise<AckServer> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new AckServer(server)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  received(): void {
    this.#count += 1
    if (this.#count - this.#acked >= this.#every) this.#tell({ count: this.#count })
  }

  #wish(wish: Wish): void {
    if (wish.every !== undefined) this.#every = wish.every
    this.#tell(wish.cpu === true ? { count: this.#count, cpuUs: cpuUs() } : { count: this.#count })
  }

  #tell(ack: Ack): void {
    this.#acked = ack.count
    this.#socket?.write(`${JSON.stringify(ack)}\n`)
  }
}

/** The sender's side. */
export class AckClient {
  readonly #socket: Socket
  #count = 0
  #onCount: (() => void) | undefined
  #onCpu: ((cpuUs: number) => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true)
    eachLine(socket, line => this.#hear(JSON.parse(line)))
  }

  static async connect(port: number): Promise<AckClient> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new AckClient(socket)
  }

  /** How many messages the receiver has acknowledged since it started. */
  get count(): number {
    return this.#count
  }

  every(messages: number): void {
    this.#say({ every: messages })
  }

  /** Resolves at the next acknowledgement. One caller at a time. */
  next(): Promise<void> {
    return new Promise(resolve => {
      this.#onCount = resolve
    })
  }

  /** The receiver's CPU time until now, in microseconds. One caller at a time. */
  cpuUs(): Promise<number> {
    this.#say({ cpu: true })
    return new Promise(resolve => {
      this.#onCpu = resolve
    })
  }

  #say(wish: Wish): void {
    this.#socket.write(`${JSON.stringify(wish)}\n`)
  }

  #hear(ack: Ack): void {
    this.#count = ack.count
    if (ack.cpuUs !== undefined) this.#onCpu?.(ack.cpuUs)
    this.#onCount?.()
  }
}
