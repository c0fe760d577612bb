/**
 * The control server: a node's API on a unix socket in its data folder, for the commands of the same user.
 *
 * It opens a socket of its own, so `createNode` does not start it; the daemon does, around the time that the node runs.
 * Whoever talks to it is the node's own user, so its limits are there against mistakes: a script that loops, a client
 * that hangs. What is over a limit is refused or cut off, and the node goes on.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Log } from '../core/ports.ts'
import { type CallLimits, Calls } from './calls.ts'
import { CallError } from './codes.ts'
import { type ServedNode, serviceOf } from './service.ts'
import { listenOn, removeSocket, socketPath } from './socket.ts'

export interface ControlLimits extends CallLimits {
  readonly connectionsMax: number
  readonly headerMaxBytes: number
  /** From the start of a connection, or of a further request on it, to its last header. */
  readonly headersTimeoutMs: number
  /** The same, to the last byte of its body. */
  readonly requestTimeoutMs: number
  /** How long a connection may stay open between two requests. */
  readonly idleTimeoutMs: number
}

export const CONTROL_LIMITS: ControlLimits = {
  bodyMaxBytes: 65_536,
  callsMax: 64,
  // A dial may wait for an address that does not answer, and has a shorter deadline of its own.
  deadlineMs: 30_000,
  connectionsMax: 64,
  headerMaxBytes: 8_192,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  idleTimeoutMs: 5_000,
}

export interface ControlOptions {
  readonly node: ServedNode
  readonly dataDir: string
  /** Of Floodgate. */
  readonly version: string
  /** Told of mistakes of ours, which the caller does not see. */
  readonly log: Pick<Log, 'error'>
  readonly limits?: Partial<ControlLimits>
}

export interface Control {
  /** Where it listens. */
  readonly path: string
  /** Ends every connection, answered or not, and removes the socket. To be called before the node stops; twice is fine. */
  close(): Promise<void>
}

/** @throws FloodgateError IN_USE, LISTEN */
export async function serveControl(options: ControlOptions): Promise<Control> {
  const limits = { ...CONTROL_LIMITS, ...options.limits }
  const path = socketPath(options.dataDir)
  const service = serviceOf(options.node, options.version, Date.now())
  const server = serverOf(new Calls(service, options.log, limits), limits)
  await listenOn(server, path)
  // An error without a listener would end the process: accepting fails when the system is out of file descriptors.
  server.on('error', error => options.log.error('the control socket failed', { error: error.message }))
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
    removeSocket(path)
  }
  return {
    path,
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

function serverOf(calls: Calls, limits: ControlLimits): Server {
  const server = createServer({
    maxHeaderSize: limits.headerMaxBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.max(1, Math.floor(limits.headersTimeoutMs / 5)),
  })
  server.maxConnections = limits.connectionsMax
  // Cuts off who neither reads nor writes, in whatever state; longer than any call may take.
  server.timeout = 2 * limits.deadlineMs
  server.on('request', (request, response) => calls.handle(request, response))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(error.code, socket))
  return server
}

/** Answers what is no request of HTTP, and closes the connection. */
function refuse(code: string | undefined, socket: Socket): void {
  if (!socket.writable) return void socket.destroy()
  const [line, failure] = refusalOf(code)
  const body = JSON.stringify(failure)
  const headers = `content-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close`
  socket.write(`HTTP/1.1 ${line}\r\n${headers}\r\n\r\n${body}`)
  socket.destroySoon()
}

function refusalOf(code: string | undefined): [line: string, failure: CallError] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [
        '431 Request Header Fields Too Large',
        new CallError('resource_exhausted', 'the headers are too long'),
      ]
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', new CallError('deadline_exceeded', 'the request did not come in time')]
    default:
      return ['400 Bad Request', new CallError('invalid_argument', 'this is not HTTP/1.1')]
  }
}
