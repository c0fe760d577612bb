/**
 * The child process of the spread benchmark: `node.ts VARIANT [urgent]`, one node on a host of the lab.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { printLine, serveLines } from '../support/child.ts'
import { bareEndpoint, type EndpointPorts, ourEndpoint } from './endpoints.ts'
import { isOurs, VARIANT_NAMES } from './names.ts'
import type { Born, NodeState, Request, RequestName, Requests, TopicName } from './protocol.ts'
import { SocketMeter } from './sockets.ts'
import { clockUs, makePayload, readStamp, stamp } from './stamp.ts'

/** Of the messages on the topic `urgent`. */
const CHAT_BYTES = 300

const DIALS_MAX = 20
const REDIAL_MS = 1_000

/** More are not told. */
const PROBLEMS_MAX = 20

const [name, urgent] = process.argv.slice(2)
const variant = VARIANT_NAMES.find(known => known === name)
if (variant === undefined) throw new Error(`there is no variant ${name}`)

const meter = new SocketMeter()
const problems: string[] = []
/** By the number of the message. */
const latencyUs = new Map<number, number>()
const waiting = new Map<number, (latencyUs: number) => void>()
let chats: number[] = []
let chatsSent = 0

const ports: EndpointPorts = {
  delivered: (topic, payload) => {
    const { number, sentAtUs } = readStamp(payload)
    const took = clockUs() - sentAtUs
    if (topic === 'urgent') {
      chats.push(took)
      return
    }
    latencyUs.set(number, took)
    waiting.get(number)?.(took)
  },
  problem: text => {
    if (problems.length < PROBLEMS_MAX) problems.push(text)
  },
}

const endpoint = isOurs(variant)
  ? await ourEndpoint(variant, urgent === 'urgent', ports)
  : await bareEndpoint(ports)

function state(): NodeState {
  const { user, system } = process.cpuUsage()
  return {
    ...endpoint.state(),
    ...meter.read(),
    cpuUs: user + system,
    waitedUs: waitedUs(),
    problems: [...problems],
  }
}

/** The kernel's words on the main thread: time on a processor, time in the queue for one (both in ns), turns. */
function waitedUs(): number {
  try {
    const [, waitedNs] = readFileSync('/proc/self/schedstat', 'utf8').split(' ')
    return Number(waitedNs) / 1_000
  } catch {
    return 0
  }
}

function publish(topic: TopicName, number: number, sizeBytes: number): Promise<void> {
  const payload = makePayload(sizeBytes)
  stamp(payload, number)
  return endpoint.publish(topic, payload)
}

async function arrival({ number, timeoutMs }: Requests['arrival']['with']): Promise<number | null> {
  const known = latencyUs.get(number)
  if (known !== undefined) return known
  const { promise, resolve } = Promise.withResolvers<number | null>()
  const timer = setTimeout(() => resolve(null), timeoutMs)
  waiting.set(number, resolve)
  const took = await promise
  clearTimeout(timer)
  waiting.delete(number)
  return took
}

/** Until it succeeds: on a busy machine the first handshakes of many processes can be too slow. */
async function dial(address: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await endpoint.dial(address)
      return
    } catch (error) {
      if (attempt >= DIALS_MAX) throw error
      await sleep(REDIAL_MS)
    }
  }
}

/** In steps that vary, or else the messages of all nodes would leave at the same times. */
function chatter(ratePerS: number, untilUs: number): void {
  const pauseMs = (1_000 / ratePerS) * 2 * Math.random()
  setTimeout(() => {
    if (clockUs() >= untilUs) return
    chatsSent += 1
    publish('urgent', chatsSent, CHAT_BYTES).catch((error: unknown) => ports.problem(String(error)))
    chatter(ratePerS, untilUs)
  }, pauseMs)
}

const handlers: {
  [N in RequestName]: (given: Requests[N]['with']) => Promise<Requests[N]['answer']>
} = {
  dial: async ({ addresses }) => {
    for (const address of addresses) await dial(address)
    return null
  },
  state: async () => state(),
  settled: async () => {
    problems.length = 0
    return null
  },
  publish: async ({ number, sizeBytes }) => {
    await publish('bulk', number, sizeBytes)
    return null
  },
  arrival,
  chatter: async ({ ratePerS, forMs }) => {
    chatter(ratePerS, clockUs() + forMs * 1_000)
    return null
  },
  chatted: async () => {
    const chat = { sent: chatsSent, latenciesUs: chats }
    chats = []
    chatsSent = 0
    return chat
  },
}

printLine({ address: endpoint.address } satisfies Born)
await serveLines(async line => {
  const request = line as Request
  const handle = handlers[request.do] as (given: object) => Promise<unknown>
  return await handle(request.with)
})
