/**
 * The child process of the transactions benchmark: `peer.ts VARIANT NUMBER`, one node of the network.
 *
 * It prints its address, and then answers each `Request` with a `Reading`. A step is answered when its last message has
 * been published; messages of others are counted all the time.
 */
import { randomFillSync } from 'node:crypto'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { printLine, serveLines } from '../support/child.ts'
import { writtenBytes } from '../support/socket-bytes.ts'
import { isVariantName } from './names.ts'
import { type Endpoint, VARIANTS } from './variants.ts'

/** What the parent asks for; the reading alone, if nothing else. */
export interface Request {
  readonly dial?: readonly string[]
  readonly step?: Step
}

/** So many messages in this time, evenly. */
export interface Step {
  readonly messages: number
  readonly durationMs: number
  readonly sizeBytes: number
}

/** A process since its start; CPU is user and system time over all its threads. */
export interface Reading {
  readonly delivered: number
  readonly cpuUs: number
  readonly writtenBytes: number
  readonly meshPeers: number
}

/** How often the loop looks at what is due: as often as an application that is fed by sockets. */
const PERIOD_MS = 2

/** A turn of the event loop publishes no more than this, also when the process is late. */
const BURST_MAX = 32

const [name = '', number = ''] = process.argv.slice(2)
if (!isVariantName(name)) throw new Error(`there is no variant ${name}`)

let delivered = 0
let published = 0

async function publishAll(endpoint: Endpoint, { messages, durationMs, sizeBytes }: Step): Promise<void> {
  const template = randomFillSync(Buffer.alloc(sizeBytes))
  const startedMs = performance.now()
  for (let done = 0; done < messages; ) {
    const due = Math.min(messages, Math.ceil((messages * (performance.now() - startedMs)) / durationMs))
    const end = Math.min(due, done + BURST_MAX)
    for (; done < end; done++) {
      // A buffer of its own, because gossip keeps a reference to it for some seconds; `STAMP_BYTES` make it a new one.
      const payload = Buffer.from(template)
      payload.writeUInt32BE(Number(number))
      payload.writeUInt32BE(published++, 4)
      const recipients = await endpoint.publish(payload)
      if (recipients === 0) throw new Error('a message went to nobody')
    }
    await (done < due ? turn() : sleep(PERIOD_MS))
  }
}

const endpoint = await VARIANTS[name](() => {
  delivered++
})
printLine(endpoint.address)
await serveLines(async (request): Promise<Reading> => {
  const { dial = [], step } = request as Request
  for (const address of dial) await endpoint.dial(address)
  if (step !== undefined) await publishAll(endpoint, step)
  const { user, system } = process.cpuUsage()
  return {
    delivered,
    cpuUs: user + system,
    writtenBytes: writtenBytes(),
    meshPeers: endpoint.meshPeers(),
  }
})
