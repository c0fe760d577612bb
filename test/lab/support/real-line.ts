/**
 * The line in a lab: a process for each node, each on a host of its own.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setInterval } from 'node:timers/promises'
import { dialAddress } from '../../../src/cli/cluster/addresses.ts'
import { NodeProcess } from '../../../src/cli/cluster/process.ts'
import type { NodeStats, Report, Sent } from '../../../src/cli/cluster/protocol.ts'
import { Until } from '../../../src/cli/cluster/until.ts'
import { BEAT_MS, type Journey, LINE, SENDS } from './schedule.ts'

/** For one command, and for whatever is waited for. */
const PATIENCE_MS = 60_000

const REPORT_MS = 50

export class RealLine {
  readonly #nodes: readonly NodeProcess[]
  readonly #stats: (NodeStats | undefined)[] = []
  /** By message id, when each node accepted it, on the clock that all share. */
  readonly #arrivedUs = new Map<string, number[]>()
  readonly #until = new Until()
  readonly #folder: string

  /** Starts the processes. @param lab what puts node `{i}` on its host, and a folder for all of them */
  constructor({ wrapper, folder }: { readonly wrapper: readonly string[]; readonly folder: string }) {
    this.#folder = folder
    this.#nodes = Array.from({ length: LINE.nodes }, (_, node) => {
      const report = (report: Report): void => this.#receive(node, report)
      return new NodeProcess(node, wrapper, { report, exited: () => {} })
    })
  }

  /** Starts the nodes, connects each to the one before it, and waits until they are in each other's meshes. */
  async start(): Promise<void> {
    await Promise.all(this.#nodes.map(child => this.#startNode(child)))
    for (const [index, child] of this.#nodes.entries()) {
      const before = this.#nodes[index - 1]?.started
      if (before === undefined) continue
      const address = dialAddress(before.addresses, true)
      assert.ok(address !== undefined, 'a node listens on no address')
      await child.request('connect', { addresses: [address] }, PATIENCE_MS)
    }
    const isJoined = (): boolean =>
      this.#nodes.every((_, node) => {
        const neighbours = node === 0 || node === LINE.nodes - 1 ? 1 : 2
        return this.#stats[node]?.meshPeers === neighbours
      })
    assert.ok(await this.#until.until(isJoined, PATIENCE_MS), 'the line was not in each other’s meshes')
  }

  /** Plays the schedule; it takes a minute. */
  async run(): Promise<Journey[]> {
    const sending: Promise<Sent>[] = []
    const sends = SENDS.values()
    for await (const _ of setInterval(BEAT_MS)) {
      const { value: isSent } = sends.next()
      if (isSent === undefined) break
      if (isSent) sending.push(this.#send())
    }
    const sent = await Promise.all(sending)
    const isEverywhere = (): boolean => sent.every(({ id }) => this.#receivers(id) === LINE.nodes - 1)
    assert.ok(await this.#until.until(isEverywhere, PATIENCE_MS), 'a message did not reach every node')
    return sent.map(({ id, atUs }) =>
      (this.#arrivedUs.get(id) ?? []).slice(1).map(arrivedUs => (arrivedUs - atUs) / 1_000),
    )
  }

  /** Ends the processes, in order where they can. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#nodes.map(async child => {
        await child.request('stop', null, PATIENCE_MS).catch(() => child.kill())
        child.closeInput()
        await child.exited
      }),
    )
  }

  async #startNode(child: NodeProcess): Promise<void> {
    const { node } = child
    child.started = await child.request(
      'start',
      {
        node,
        seed: 'line',
        topic: 'line',
        mode: 'flood',
        gate: 'all',
        dataDir: join(this.#folder, String(node)),
        removeDataDir: true,
        wrapped: true,
        reportMs: REPORT_MS,
      },
      PATIENCE_MS,
    )
  }

  #send(): Promise<Sent> {
    const [first] = this.#nodes
    assert.ok(first !== undefined)
    const payload = randomBytes(LINE.sizeBytes).toString('base64')
    const sending = first.request('propagate', { payload }, PATIENCE_MS)
    // Its failure is told at the end of the schedule.
    sending.catch(() => {})
    return sending
  }

  #receivers(id: string): number {
    return this.#arrivedUs.get(id)?.filter(atUs => atUs !== undefined).length ?? 0
  }

  #receive(node: number, { verdicts, stats }: Report): void {
    this.#stats[node] = stats
    for (const [id, atUs] of verdicts) {
      const arrivedUs = this.#arrivedUs.get(id) ?? []
      arrivedUs[node] = atUs
      this.#arrivedUs.set(id, arrivedUs)
    }
    this.#until.poke()
  }
}
