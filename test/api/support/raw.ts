/**
 * A connection to the control socket as bytes: for requests that no client would send.
 */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

export class Raw {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  #received = Buffer.alloc(0)

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true })
    this.socket.on('data', part => {
      this.#received = Buffer.concat([this.#received, part])
    })
    // A server that cuts us off in the middle of a write is what some tests want.
    this.socket.on('error', () => {})
    this.socket.on('end', () => this.socket.end())
    this.closed = new Promise(resolve => this.socket.once('close', resolve))
  }

  send(text: string | Uint8Array): this {
    this.socket.write(text)
    return this
  }

  /** The next answer; undefined when the connection was closed before there was one. */
  async answer(): Promise<RawAnswer | undefined> {
    for (;;) {
      const answer = this.#take()
      if (answer !== undefined || this.socket.closed) return answer
      await new Promise<unknown>(resolve => {
        this.socket.once('data', resolve)
        this.socket.once('close', resolve)
      })
    }
  }

  #take(): RawAnswer | undefined {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const [first = '', ...lines] = this.#received.subarray(0, end).toString('latin1').split('\r\n')
    const headers = Object.fromEntries(
      lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
    )
    const bodyEnd = end + 4 + Number(headers['content-length'] ?? 0)
    if (this.#received.length < bodyEnd) return undefined
    const text = this.#received.subarray(end + 4, bodyEnd).toString()
    this.#received = this.#received.subarray(bodyEnd)
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(first) ?? []
    assert.ok(status !== undefined, first)
    return { status: Number(status), headers, body: text === '' ? undefined : JSON.parse(text) }
  }
}

/** A whole request, as text. */
export function post(method: string, body: string, headers: Record<string, string> = {}): string {
  const all = {
    host: 'floodgate',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST /floodgate.v1.NodeService/${method} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

/** Calls once, on a connection of its own. */
export async function callRaw(path: string, request: string | Uint8Array): Promise<RawAnswer | undefined> {
  const raw = new Raw(path).send(request)
  const answer = await raw.answer()
  raw.socket.destroy()
  return answer
}
