/**
 * Calls: one HTTP request each, as unary calls of the Connect protocol in JSON
 * (connectrpc.com/docs/protocol, "Unary requests").
 *
 * - `POST <service>/<method>` with a JSON body; 200 and a JSON body come back, or another status with
 *   `{ "code": …, "message": … }`. A path that is no method is 404 and `unimplemented`.
 * - A body is limited, read in full before the method runs, and checked against the method's shape.
 * - Every call has a deadline from its last header to the end of its answer: then a method is told to end by its
 *   signal, and a client that does not read its answer is cut off. `Connect-Timeout-Ms` makes it shorter.
 * - At most `callsMax` methods run at once, over all connections: requests can be pipelined. One counts until it has
 *   ended, also when it does not heed its signal.
 * - A method that fails with anything but a `FloodgateError` has a mistake of ours: `internal`, and a line in the log.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { z } from 'zod'
import { FloodgateError } from '../core/errors.ts'
import type { Log } from '../core/ports.ts'
import { CallError, codeOf } from './codes.ts'
import { METHODS, type Method, SERVICE_PATH } from './messages.ts'
import type { Service } from './service.ts'

export interface CallLimits {
  readonly bodyMaxBytes: number
  readonly callsMax: number
  readonly deadlineMs: number
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export class Calls {
  readonly #service: Service
  readonly #log: Pick<Log, 'error'>
  readonly #limits: CallLimits
  /** Methods that have begun and not ended. */
  #running = 0

  constructor(service: Service, log: Pick<Log, 'error'>, limits: CallLimits) {
    this.#service = service
    this.#log = log
    this.#limits = limits
  }

  /** Answers a request. Never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const abort = new AbortController()
    const late = (): void => {
      if (response.headersSent) request.socket.destroy()
      else abort.abort(new CallError('deadline_exceeded', 'the call took too long'))
    }
    const timer = setTimeout(late, this.#timeoutMs(request))
    response.once('close', () => {
      clearTimeout(timer)
      if (!response.writableFinished) abort.abort(new CallError('canceled', 'the caller has gone'))
    })
    void this.#answer(request, abort.signal).then(({ status, body, headers }) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        // What is left of a body that was refused would be read to its end otherwise.
        ...(request.complete ? {} : { connection: 'close' }),
        ...headers,
      })
      response.end(body)
    })
  }

  #timeoutMs(request: IncomingMessage): number {
    const asked = timeoutOf(request)
    return Math.min(this.#limits.deadlineMs, asked ?? Number.POSITIVE_INFINITY)
  }

  async #answer(request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    let method: Method | undefined
    try {
      method = methodOf(request)
      checkHeaders(request)
      const body = await readBody(request, this.#limits.bodyMaxBytes, signal)
      return { status: 200, body: await this.#run(method, checked(method, body), signal) }
    } catch (error) {
      const failure = this.#failure(error, method)
      return { status: failure.status, headers: failure.headers, body: JSON.stringify(failure) }
    }
  }

  /** The answer as JSON. Rejects when the signal says so, although the method may run on. */
  async #run(method: Method, request: unknown, signal: AbortSignal): Promise<string> {
    if (this.#running >= this.#limits.callsMax) {
      throw new CallError('resource_exhausted', `${this.#limits.callsMax} calls are under way already`)
    }
    signal.throwIfAborted()
    this.#running += 1
    // The compiler cannot relate a method's name to its request.
    const call = this.#service[method] as (request: unknown, signal: AbortSignal) => unknown
    const done = (async () => JSON.stringify(await call(request, signal)))().finally(() => {
      this.#running -= 1
    })
    return await Promise.race([done, aborted(signal)])
  }

  #failure(error: unknown, method: Method | undefined): CallError {
    if (error instanceof CallError) return error
    if (error instanceof FloodgateError) return new CallError(codeOf(error.code), error.message)
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#log.error('a call of the control API failed', { method, error: text })
    return new CallError('internal', 'the node has failed here; its log says more')
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** @throws CallError */
function methodOf(request: IncomingMessage): Method {
  const path = request.url ?? ''
  const name = path.startsWith(`${SERVICE_PATH}/`) ? path.slice(SERVICE_PATH.length + 1) : ''
  if (!Object.hasOwn(METHODS, name)) {
    throw new CallError('unimplemented', `there is no method ${shown(path)}`, { status: 404 })
  }
  if (request.method !== 'POST') {
    throw new CallError('unimplemented', 'a method is called with POST', {
      status: 405,
      headers: { allow: 'POST' },
    })
  }
  return name as Method
}

/** @throws CallError */
function checkHeaders(request: IncomingMessage): void {
  const { headers } = request
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new CallError('invalid_argument', 'the content-type must be application/json', {
      status: 415,
      headers: { 'accept-post': 'application/json' },
    })
  }
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new CallError('unimplemented', 'a body must not be compressed', {
      headers: { 'accept-encoding': 'identity' },
    })
  }
  if ((headers['connect-protocol-version'] ?? '1') !== '1') {
    throw new CallError('invalid_argument', 'the connect-protocol-version must be 1')
  }
  if (headers['connect-timeout-ms'] !== undefined && timeoutOf(request) === undefined) {
    throw new CallError('invalid_argument', 'the connect-timeout-ms must be 1 to 10 digits')
  }
}

/** The caller's own deadline; undefined for none, and for what is no time. */
function timeoutOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['connect-timeout-ms']
  return typeof text === 'string' && /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

/** The body, when its last byte is there. @throws CallError */
function readBody(request: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const tooLong = new CallError('resource_exhausted', `the body is longer than ${maxBytes} bytes`)
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) return reject(tooLong)
    const parts: Uint8Array[] = []
    let sizeBytes = 0
    request.on('data', (part: Uint8Array) => {
      sizeBytes += part.byteLength
      if (sizeBytes <= maxBytes) return void parts.push(part)
      parts.length = 0
      request.pause()
      reject(tooLong)
    })
    request.once('end', () => resolve(Buffer.concat(parts)))
    // A request that breaks off closes its response, which aborts.
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** The request in a body, with its defaults. @throws CallError */
function checked(method: Method, body: Uint8Array): unknown {
  const result = METHODS[method].request.safeParse(parsed(body))
  if (result.success) return result.data
  // A number can break two bounds at once, in the same words.
  throw new CallError('invalid_argument', [...new Set(result.error.issues.map(describe))].join('; '))
}

/** @throws CallError */
function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new CallError('invalid_argument', 'the body is not JSON')
  }
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys')
    return `unknown field ${issue.keys.slice(0, 8).map(shown).join(', ')}`
  return issue.path.length === 0 ? 'expected a JSON object' : `${issue.path.join('.')}: ${issue.message}`
}

/** A text of the caller's, of bounded length and without what a terminal would obey. */
function shown(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 77)}...`)
}
