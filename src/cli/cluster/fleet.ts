/**
 * The nodes of a run, as processes: started, asked and ended together, and what each has counted.
 *
 * Rule: whatever happens, when `stop` has resolved no process is left.
 */
import { rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunPlan } from './plan.ts'
import { NodeFailure, NodeProcess } from './process.ts'
import { clockUs, type NodeSetup, type NodeStats, type Report } from './protocol.ts'
import type { TallyEvent } from './tally.ts'
import type { TransferEvent } from './trace.ts'

const REPORT_MS = 10_000
const STOP_MS = 8_000

/** Between two reports of a node: short for a feed, which goes on when it hears that messages have arrived. */
const REPORT_EVERY_MS = { generated: 200, fed: 25 }

/** How many of its last log lines a node is quoted with. */
const LOGGED_MAX = 4

/** Starting a node takes half a second of one core, and all of them start at once. */
const startMs = (nodes: number): number => 30_000 + 2_000 * nodes

/** Two clocks of one machine differ by how long a line takes to be read; two machines started at other times. */
const CLOCK_DIFFERENCE_MAX_US = 60_000_000

export interface FleetHooks {
  /** Something that a node has reported. */
  event(event: TallyEvent | TransferEvent): void
  /** All events of a report have been told, and the node's counters are new. */
  reported(): void
  /** A process has ended that was not asked to. `problem` is for people. */
  died(problem: string): void
}

export class Fleet {
  readonly nodes: readonly NodeProcess[]
  readonly #plan: RunPlan
  readonly #hooks: FleetHooks
  readonly #nodeOf = new Map<string, number>()
  readonly #stats: (NodeStats | undefined)[]
  #baseline: readonly (NodeStats | undefined)[] = []
  #stopping = false

  /** Starts the processes. */
  constructor(plan: RunPlan, hooks: FleetHooks) {
    this.#plan = plan
    this.#hooks = hooks
    this.#stats = Array.from({ length: plan.nodes })
    this.nodes = Array.from({ length: plan.nodes }, (_, node) => this.#spawn(node))
  }

  /** Starts the Floodgate nodes in them. @throws NodeFailure */
  async start(): Promise<void> {
    await this.each(async child => {
      const started = await child.request('start', this.#setupOf(child.node), startMs(this.#plan.nodes))
      if (Math.abs(clockUs() - started.clockUs) > CLOCK_DIFFERENCE_MAX_US) {
        throw new NodeFailure(
          `${child.name} has another clock than this machine: its latencies would mean nothing`,
        )
      }
      child.started = started
      this.#nodeOf.set(started.peer, child.node)
    })
  }

  /** Does something with all nodes at once, and fails with the first that fails. */
  async each<T>(what: (child: NodeProcess) => Promise<T>): Promise<T[]> {
    return await Promise.all(this.nodes.map(what))
  }

  /** Resolves when every node has reported all that has happened so far. @throws NodeFailure */
  async report(): Promise<void> {
    await this.each(child => child.request('report', null, REPORT_MS))
  }

  /** From here on `countedBy` counts. */
  setBaseline(): void {
    this.#baseline = [...this.#stats]
  }

  /** What a node told in its last report, counted since its start. */
  statsOf(node: number): NodeStats | undefined {
    return this.#stats[node]
  }

  /** What a node has counted since the baseline; zeros without one. Peers and meshes are those of now. */
  countedBy(node: number): NodeStats | undefined {
    const now = this.#stats[node]
    const then = this.#baseline[node]
    if (now === undefined) return undefined
    const since = (key: keyof NodeStats): number => (then === undefined ? 0 : now[key] - then[key])
    return {
      ...now,
      received: since('received'),
      accepted: since('accepted'),
      ignored: since('ignored'),
      rejected: since('rejected'),
      acceptedBytes: since('acceptedBytes'),
      sentBytes: since('sentBytes'),
      receivedBytes: since('receivedBytes'),
    }
  }

  /** The last lines of the nodes' logs, for people: a few of each node that has any, of three nodes at most. */
  logged(): string[] {
    const talkative = this.nodes.filter(node => node.logged().length > 0).slice(0, 3)
    return talkative.flatMap(node => lastLines(node).map(line => `${node.name}: ${line}`))
  }

  /** Ends all processes in order, and removes their data if it was temporary. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.each(async child => {
      if (!child.alive) return
      await child.request('stop', null, STOP_MS).catch(() => {})
      child.closeInput()
      const timer = setTimeout(() => child.kill(), STOP_MS)
      await child.exited
      clearTimeout(timer)
    })
    if (this.#plan.removeDataDir) await rm(this.#plan.dataDir, { recursive: true, force: true })
  }

  /** Kills all processes and removes their temporary data, at once: for the last moment of our own. */
  kill(): void {
    for (const node of this.nodes) node.kill()
    if (this.#plan.removeDataDir) rmSync(this.#plan.dataDir, { recursive: true, force: true, maxRetries: 3 })
  }

  #spawn(node: number): NodeProcess {
    const child: NodeProcess = new NodeProcess(node, this.#plan.wrapper, {
      report: report => this.#receive(node, report),
      exited: () => {
        if (this.#stopping) return
        this.#hooks.died([child.describeExit(), ...lastLines(child).map(line => `  ${line}`)].join('\n'))
      },
    })
    return child
  }

  #setupOf(node: number): NodeSetup {
    const { topic, seed, handler, mode, wrapper, dataDir, removeDataDir, traffic, traced } = this.#plan
    return {
      node,
      seed,
      topic,
      ...(handler === undefined ? {} : { handler }),
      ...(mode === undefined ? {} : { mode }),
      gate: traffic.kind === 'generated' ? 'checksum' : 'all',
      dataDir: join(dataDir, `node-${node + 1}`),
      removeDataDir,
      wrapped: wrapper.length > 0,
      reportMs: REPORT_EVERY_MS[traffic.kind],
      ...(traced === undefined ? {} : { traced }),
    }
  }

  #receive(node: number, { sent, verdicts, transfers = [], stats }: Report): void {
    this.#stats[node] = stats
    for (const [id, atUs, sizeBytes, expect] of sent) {
      this.#hooks.event({ type: 'sent', id, node, atUs, sizeBytes, expect })
    }
    for (const [id, atUs, peer, verdict] of verdicts) {
      const from = this.#nodeOf.get(peer) ?? -1
      this.#hooks.event({ type: 'verdict', id, node, atUs, from, verdict })
    }
    for (const [id, atUs, peer, index, count] of transfers) {
      const from = this.#nodeOf.get(peer) ?? -1
      this.#hooks.event({ type: 'transfer', id, node, atUs, from, index, count })
    }
    this.#hooks.reported()
  }
}

function lastLines(node: NodeProcess): string[] {
  return node.logged().slice(-LOGGED_MAX)
}
