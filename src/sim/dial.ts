/**
 * A dial: TCP's handshake over a network that loses packets when it is broken.
 *
 * It takes one round trip. When a packet is lost, there or on its way back, it is sent again 1 s, 3 s, 7 s, … after the
 * first one, as Linux does, until somebody gives up: the caller by its signal, or TCP after 63 s.
 */
import type { VirtualClock, VirtualEvent } from './clock.ts'
import { withCode } from './host.ts'
import type { SimProcess } from './process.ts'
import type { Socket } from './socket.ts'

const FIRST_PAUSE_MS = 1_000
const TRIES = 6

export interface DialParts {
  readonly clock: VirtualClock
  readonly process: SimProcess
  /** For error messages. */
  readonly address: string
  readonly signal: AbortSignal
  /**
   * Sends the first packet. `answered` is called when the answer is back, with what makes the connection, or
   * undefined when it was refused; it is not called when one of the two packets is lost.
   */
  readonly ask: (answered: (connect: (() => Socket) | undefined) => void) => void
}

/**
 * @throws Error ECONNREFUSED or ETIMEDOUT; the reason of the signal. The promise stays pending when the process dies
 */
export function dial(parts: DialParts): Promise<Socket> {
  const { clock, process, address, signal } = parts
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  let isOver = false
  let tries = 0
  let next: VirtualEvent | undefined

  const end = (tell: () => void): void => {
    if (isOver || !process.isAlive) return
    isOver = true
    if (next !== undefined) clock.cancel(next)
    signal.removeEventListener('abort', onAbort)
    process.run(tell)
  }
  const fail = (code: string): void => end(() => reject(withCode(code, `connect ${address}`)))
  const onAbort = (): void => end(() => reject(signal.reason))
  const attempt = (): void => {
    if (isOver || !process.isAlive) return
    if (tries === TRIES) return fail('ETIMEDOUT')
    next = clock.schedule(clock.nowMs + FIRST_PAUSE_MS * 2 ** tries, attempt)
    tries++
    parts.ask(connect => {
      if (connect === undefined) fail('ECONNREFUSED')
      else end(() => resolve(connect()))
    })
  }

  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort)
  attempt()
  return promise
}
