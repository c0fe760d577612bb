/**
 * Nodes in processes of their own, steered by a test: a pool of processes, and as many nodes in them as it likes.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { AddressInfo, NodeConfig, PeerId } from '../../../src/index.ts'
import { until, within } from './until.ts'

/** What a process is asked. */
export type Question = { readonly call: number; readonly name: string } & (
  | { readonly type: 'start'; readonly config: NodeConfig }
  | { readonly type: 'look' | 'stop' }
  | { readonly type: 'propagate'; readonly text: string }
)

/** What it says to that. */
export interface Answer {
  readonly call: number
  readonly result?: Snapshot | undefined
  readonly failure?: string
}

/** A node at one moment. */
export interface Snapshot {
  readonly peer: PeerId
  readonly address: string
  /** Those that have shaken hands. */
  readonly peers: readonly PeerId[]
  /** It knows what all of its peers have subscribed to, and has a mesh. */
  readonly isSettled: boolean
  /** What it has accepted, as texts, in order. */
  readonly accepted: readonly string[]
  readonly book: readonly AddressInfo[]
}

const PROGRAM = fileURLToPath(new URL('pool-process.ts', import.meta.url))

/** All of these may take long on a busy machine. */
const DEADLINE_MS = 120_000

const LOOK_PERIOD_MS = 200

type Asked = Question extends infer Q ? (Q extends Question ? Omit<Q, 'call'> : never) : never

class Worker {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<Snapshot | undefined>>()
  #calls = 0
  #log = ''

  constructor() {
    this.#child = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-4_000)
    })
    this.#child.on('message', ({ call, result, failure }: Answer) => {
      const waiting = this.#waiting.get(call)
      this.#waiting.delete(call)
      if (failure === undefined) waiting?.resolve(result)
      else waiting?.reject(new Error(failure))
    })
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the process has ended: ${this.#log}`))
    })
  }

  async ask(question: Asked): Promise<Snapshot | undefined> {
    const call = ++this.#calls
    const waiting = Promise.withResolvers<Snapshot | undefined>()
    this.#waiting.set(call, waiting)
    this.#child.send({ ...question, call } satisfies Question)
    return await within(`an answer to ${question.type}`, DEADLINE_MS, waiting.promise)
  }

  /** Its nodes stop, and then the process ends by itself. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    try {
      const [code] = await within('the process has ended', DEADLINE_MS, ended)
      assert.equal(code, 0, this.#log)
    } finally {
      this.#child.kill('SIGKILL')
    }
  }
}

/** A node in a process of the pool. */
export class PooledNode {
  readonly address: string
  readonly peer: PeerId
  readonly #name: string
  readonly #worker: Worker

  constructor(worker: Worker, name: string, { peer, address }: Snapshot) {
    this.#worker = worker
    this.#name = name
    this.peer = peer
    this.address = address
  }

  async look(): Promise<Snapshot> {
    return snapshot(await this.#worker.ask({ type: 'look', name: this.#name }))
  }

  async propagate(text: string): Promise<void> {
    await this.#worker.ask({ type: 'propagate', name: this.#name, text })
  }

  async stop(): Promise<void> {
    await this.#worker.ask({ type: 'stop', name: this.#name })
  }
}

/** Called with the nodes that are there already. */
export type ConfigOf = (index: number, before: readonly PooledNode[]) => NodeConfig | Promise<NodeConfig>

export class Pool {
  readonly #workers: Worker[]
  #started = 0

  /** Every process starts at once; the first call to each waits for it. */
  constructor(processes: number) {
    this.#workers = Array.from({ length: processes }, () => new Worker())
  }

  /** Starts nodes one after the other, in the processes by turns. */
  async startNodes(count: number, configOf: ConfigOf): Promise<PooledNode[]> {
    const nodes: PooledNode[] = []
    for (let index = 0; index < count; index++)
      nodes.push(await this.#start(await configOf(index, nodes), index))
    return nodes
  }

  /** Every node stops, and every process ends. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.close()))
  }

  async #start(config: NodeConfig, index: number): Promise<PooledNode> {
    const worker = this.#workers[index % this.#workers.length]
    assert.ok(worker !== undefined)
    const name = `node ${this.#started++}`
    const started = await worker.ask({
      type: 'start',
      name,
      config: { preset: 'local', log: { level: 'error' }, ...config },
    })
    return new PooledNode(worker, name, snapshot(started))
  }
}

/** Looks at all nodes until that holds, and answers with the last look. */
export async function untilAll(
  what: string,
  nodes: readonly PooledNode[],
  condition: (snapshots: readonly Snapshot[]) => boolean,
): Promise<readonly Snapshot[]> {
  let snapshots: readonly Snapshot[] = []
  const look = async (): Promise<boolean> => {
    // Not as often as `until` asks: a look costs every process some of its time.
    await pause(LOOK_PERIOD_MS)
    snapshots = await Promise.all(nodes.map(node => node.look()))
    return condition(snapshots)
  }
  await until(what, look, DEADLINE_MS)
  return snapshots
}

/** Whether each can be reached from the first one. */
export function isConnected(snapshots: readonly Snapshot[]): boolean {
  const neighbours = new Map(snapshots.map(({ peer, peers }) => [peer, peers]))
  const reached = new Set<PeerId>()
  const next = snapshots.slice(0, 1).map(({ peer }) => peer)
  for (let peer = next.pop(); peer !== undefined; peer = next.pop()) {
    if (reached.has(peer)) continue
    reached.add(peer)
    next.push(...(neighbours.get(peer) ?? []))
  }
  return snapshots.every(({ peer }) => reached.has(peer))
}

/** Waits until the nodes are one network. Then each propagates a message, and all of the others accept it, once. */
export async function deliverAll(nodes: readonly PooledNode[]): Promise<void> {
  await untilAll('the network is connected', nodes, snapshots => {
    return isConnected(snapshots) && snapshots.every(({ isSettled }) => isSettled)
  })
  await Promise.all(nodes.map((node, index) => node.propagate(`message ${index}`)))
  const texts = nodes.map((_, index) => `message ${index}`)
  const snapshots = await untilAll('everyone has everything', nodes, all =>
    all.every(({ accepted }) => accepted.length >= nodes.length - 1),
  )
  for (const [index, { accepted }] of snapshots.entries()) {
    assert.deepEqual(accepted.toSorted(), texts.filter((_, other) => other !== index).toSorted())
  }
}

function snapshot(result: Snapshot | undefined): Snapshot {
  assert.ok(result !== undefined, 'the process has answered with nothing')
  return result
}
