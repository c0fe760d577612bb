/**
 * The network of one variant: a process for each node, all connected to all on loopback.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Child } from '../support/child.ts'
import type { VariantName } from './names.ts'
import type { Reading, Request, Step } from './peer.ts'

const PEER = fileURLToPath(new URL('./peer.ts', import.meta.url))

/** A network that is not there by then will never be. */
const MESH_TIMEOUT_MS = 30_000

/** After the first mesh peers: heartbeats make the meshes whole, and channels open. */
const SETTLE_MS = 2_500

const POLL_MS = 100

/** The fewest mesh peers of a node that still count as a mesh: gossipsub's `Dlo` is at least that. */
const MESH_PEERS_MIN = 4

/** What a step cost, over all nodes. */
export interface StepResult {
  readonly isDelivered: boolean
  readonly messages: number
  readonly delivered: number
  /** Until the last message was there, or the time was up. */
  readonly elapsedMs: number
  readonly cpuUs: number
  readonly writtenBytes: number
}

export class Network {
  readonly #children: readonly Child[]

  private constructor(children: readonly Child[]) {
    this.#children = children
  }

  /** @param profile a folder for a CPU profile of the first process */
  static async start(variant: VariantName, nodes: number, profile: string | undefined): Promise<Network> {
    const children = Array.from({ length: nodes }, (_, number) => {
      const options = profile === undefined || number > 0 ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
      const named = options.length === 0 ? [] : [`--cpu-prof-name=${variant}-${Date.now()}.cpuprofile`]
      return new Child(`${variant} ${number}`, [...options, ...named, PEER, variant, String(number)])
    })
    const network = new Network(children)
    try {
      const addresses = await Promise.all(children.map(child => child.answer<string>()))
      await Promise.all(children.map((child, at) => child.ask({ dial: addresses.slice(0, at) })))
      await network.#meshed()
      return network
    } catch (error) {
      await network.stop()
      throw error
    }
  }

  /**
   * Publishes at a rate, evenly from all nodes, and waits until all others have everything.
   * @param drainMs how much later than the last message is due the last may arrive
   */
  async step(total: Step, drainMs: number): Promise<StepResult> {
    const nodes = this.#children.length
    const messages = Math.ceil(total.messages / nodes)
    const before = sum(await this.#read())
    const startedMs = performance.now()
    const deadlineMs = startedMs + total.durationMs + drainMs
    const wanted = messages * nodes * (nodes - 1)
    const published = Promise.all(
      this.#children.map(child => child.ask<Reading>({ step: { ...total, messages } })),
    )
    const isPublished = await Promise.race([
      published.then(() => true),
      sleep(total.durationMs + drainMs, false),
    ])
    // A process that is late answers nothing else before it is done: the step has failed, and its network with it.
    let after = sum(isPublished ? await this.#read() : await published)
    while (after.delivered - before.delivered < wanted && performance.now() < deadlineMs) {
      await sleep(POLL_MS)
      after = sum(await this.#read())
    }
    const delivered = after.delivered - before.delivered
    return {
      isDelivered: isPublished && delivered === wanted,
      messages: messages * nodes,
      delivered,
      elapsedMs: performance.now() - startedMs,
      cpuUs: after.cpuUs - before.cpuUs,
      writtenBytes: after.writtenBytes - before.writtenBytes,
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(child => child.stop()))
  }

  async #meshed(): Promise<void> {
    const least = Math.min(MESH_PEERS_MIN, this.#children.length - 1)
    const untilMs = performance.now() + MESH_TIMEOUT_MS
    while (!(await this.#read()).every(({ meshPeers }) => meshPeers >= least)) {
      if (performance.now() > untilMs) throw new Error(`no mesh after ${MESH_TIMEOUT_MS} ms`)
      await sleep(POLL_MS)
    }
    await sleep(SETTLE_MS)
  }

  #read(): Promise<Reading[]> {
    const request: Request = {}
    return Promise.all(this.#children.map(child => child.ask<Reading>(request)))
  }
}

function sum(readings: readonly Reading[]): Omit<Reading, 'meshPeers'> {
  const total = { delivered: 0, cpuUs: 0, writtenBytes: 0 }
  for (const { delivered, cpuUs, writtenBytes } of readings) {
    total.delivered += delivered
    total.cpuUs += cpuUs
    total.writtenBytes += writtenBytes
  }
  return total
}
