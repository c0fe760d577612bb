/**
 * How a command talks to the node that runs with a data folder: calls of its control API, over its socket
 * (`api/server.ts`).
 */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { type Command, Option } from 'commander'
import { z } from 'zod'
import { type AnswerOf, METHODS, type Method, type RequestOf, SERVICE_PATH } from '../api/messages.ts'
import { connectTo, socketPath } from '../api/socket.ts'
import { type ErrorCode, FloodgateError } from '../core/errors.ts'
import { type CommandContext, loadConfigOf } from './flags.ts'
import { printable } from './printable.ts'

export interface ControlOptions {
  readonly config?: string
  readonly dataDir?: string
  readonly json?: true
}

/** Calls a method of the node. @throws FloodgateError NOT_STARTED when no node is there; or what the node says */
export type Call = <M extends Method>(method: M, body: RequestOf<M>) => Promise<AnswerOf<M>>

/** Longer than the node's own deadline for a call, so that its word is heard. */
const TIMEOUT_MS = 40_000

/** Above what 10,000 addresses take. */
const ANSWER_MAX_BYTES = 64 * 1_048_576

/** Adds the options of every command that talks to a running node. */
export function addControlOptions(command: Command): Command {
  return command
    .addOption(new Option('-c, --config <FILE>', 'configuration file of the node, to find its data folder'))
    .addOption(new Option('--data-dir <DIR>', 'data folder of the node; default as for `start`'))
    .addOption(new Option('--json', 'print JSON'))
}

/** The way to the node that these options mean. @throws FloodgateError CONFIG */
export function callerOf(
  { config, dataDir }: ControlOptions,
  context: CommandContext,
  timeoutMs = TIMEOUT_MS,
): Call {
  const options = { ...(config !== undefined && { config }), ...(dataDir !== undefined && { dataDir }) }
  // The command line always has a data folder.
  const folder = loadConfigOf(options, context).config.dataDir ?? context.cwd
  return async (method, body) => await call(folder, method, body, timeoutMs)
}

async function call<M extends Method>(
  dataDir: string,
  method: M,
  body: RequestOf<M>,
  timeoutMs: number,
): Promise<AnswerOf<M>> {
  const socket = await connected(dataDir)
  try {
    const { status, text } = await exchange(
      socket,
      `${SERVICE_PATH}/${method}`,
      JSON.stringify(body),
      timeoutMs,
    )
    if (status !== 200) throw failureOf(status, text)
    const answer = METHODS[method].answer.safeParse(parsed(text))
    if (answer.success) return answer.data as AnswerOf<M>
    throw new FloodgateError('PROTOCOL', 'the node gave an answer that this command does not understand')
  } finally {
    socket.destroy()
  }
}

/** @throws FloodgateError NOT_STARTED, STORE */
async function connected(dataDir: string): Promise<Socket> {
  try {
    return await connectTo(socketPath(dataDir))
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ECONNREFUSED') {
      const advice = 'start it with `floodgate start`, or say where it runs with --data-dir'
      throw new FloodgateError('NOT_STARTED', `no node runs with the data folder ${dataDir}: ${advice}`, {
        cause,
      })
    }
    if (code === 'EACCES' || code === 'EPERM') {
      throw new FloodgateError('STORE', `the node in ${dataDir} belongs to another user: ${message}`, {
        cause,
      })
    }
    throw new FloodgateError('STORE', `cannot reach the node in ${dataDir}: ${message}`, { cause })
  }
}

/** Sends one request and reads its answer. @throws FloodgateError TIMEOUT, PROTOCOL */
async function exchange(
  socket: Socket,
  path: string,
  body: string,
  timeoutMs: number,
): Promise<{ status: number; text: string }> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const sent = request({
      createConnection: () => socket,
      path,
      method: 'POST',
      headers: { host: 'floodgate', 'content-type': 'application/json', 'connect-protocol-version': '1' },
      signal,
    })
    // What breaks while the answer is read is thrown by the reading; here it would end the process.
    sent.on('error', () => {})
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const parts: Uint8Array[] = []
    let sizeBytes = 0
    for await (const part of response as AsyncIterable<Uint8Array>) {
      sizeBytes += part.byteLength
      if (sizeBytes > ANSWER_MAX_BYTES) throw new RangeError('its answer is too long')
      parts.push(part)
    }
    return { status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }
  } catch (cause) {
    if (signal.aborted) throw new FloodgateError('TIMEOUT', 'the node does not answer', { cause })
    throw new FloodgateError('PROTOCOL', `the node closed the connection: ${(cause as Error).message}`, {
      cause,
    })
  }
}

const failure = z.object({ code: z.string().default('unknown'), message: z.string().default('') })

/** The nearest of our own codes; they decide about the exit code alone. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  invalid_argument: 'ARGUMENT',
  not_found: 'NO_PEER',
  failed_precondition: 'DENIED',
  resource_exhausted: 'BUSY',
  unavailable: 'DIAL',
  deadline_exceeded: 'TIMEOUT',
}

function failureOf(status: number, text: string): FloodgateError {
  const said = failure.safeParse(parsed(text))
  if (!said.success) return new FloodgateError('PROTOCOL', `the node answered with the HTTP status ${status}`)
  const { code, message } = said.data
  const known = Object.hasOwn(CODES, code) ? CODES[code] : undefined
  return new FloodgateError(known ?? 'PROTOCOL', printable(message === '' ? code : message))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
