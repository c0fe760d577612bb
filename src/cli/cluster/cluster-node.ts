/**
 * What a node of a cluster does: it runs a real Floodgate node, obeys the cluster's commands and reports.
 *
 * The node's own traffic has rejects on purpose, sent by honest nodes, so nobody is dropped for a low score.
 */
import { messageHex } from '../../core/hash.ts'
import { GOSSIP_PAYLOAD_MAX_BYTES, SWARM_PAYLOAD_MAX_BYTES } from '../../core/limits.ts'
import type { Address } from '../../core/types.ts'
import type { Handler, QuickVerify } from '../../core/upper.ts'
import { createNode, type Node } from '../../node.ts'
import { loadGateModule, type TopicGate } from './gate-module.ts'
import { Generator } from './generator.ts'
import { checkPayload } from './payload.ts'
import {
  type CommandName,
  type Commands,
  clockUs,
  type NodeSetup,
  type NodeStats,
  type Report,
  type Sent,
  type Started,
} from './protocol.ts'
import { EVENTS_MAX, Reporter } from './reporter.ts'

/** A report is sent at least this often, events or not: the cluster waits for what the stats tell. */
const STATS_MS = 200

const CONNECT_MS = 20_000

export interface ClusterNodePorts {
  report(report: Report): void
  /** Something failed that no command waits for. */
  fail(error: unknown): void
}

export class ClusterNode {
  readonly #setup: NodeSetup
  readonly #node: Node
  readonly #gate: TopicGate
  readonly #ports: ClusterNodePorts
  readonly #reporter = new Reporter()
  #generator: Generator | undefined
  #timer: NodeJS.Timeout | undefined
  #reportedAtUs = 0

  private constructor(setup: NodeSetup, node: Node, gate: TopicGate, ports: ClusterNodePorts) {
    this.#setup = setup
    this.#node = node
    this.#gate = gate
    this.#ports = ports
  }

  static async create(setup: NodeSetup, ports: ClusterNodePorts): Promise<ClusterNode> {
    const node = await createNode({
      network: 'cluster',
      preset: setup.wrapped ? 'lan' : 'local',
      listen: [setup.wrapped ? '/ip4/0.0.0.0/tcp/0' : '/ip4/127.0.0.1/tcp/0'],
      dataDir: setup.dataDir,
      // The cluster says who is connected to whom.
      onlyPeers: true,
      score: { dropBelow: null },
      log: { level: 'warn', format: 'json' },
    })
    return new ClusterNode(setup, node, await gateOf(setup), ports)
  }

  async start(): Promise<Started> {
    const { topic, mode, traced } = this.#setup
    const { handler, options } = this.#gate
    this.#node.on('message', message => {
      if (message.topic === topic)
        this.#reporter.verdict(messageHex(message.id), clockUs(), message.from, 'accept')
      this.#reportIfDue()
    })
    this.#node.on('verdict', event => {
      // An accept is reported above, at the moment of the delivery.
      if (event.topic !== topic || event.verdict === 'accept') return
      this.#reporter.verdict(messageHex(event.id), clockUs(), event.from, event.verdict)
      this.#reportIfDue()
    })
    if (traced === true) {
      this.#node.on('transfer', transfer => {
        if (transfer.topic === topic) this.#reporter.transfer(messageHex(transfer.id), clockUs(), transfer)
        this.#reportIfDue()
      })
    }
    this.#node.subscribe(topic, handler, mode === undefined ? options : { ...options, mode })
    await this.#node.start()
    this.#timer = setInterval(() => {
      if (this.#reporter.size > 0 || clockUs() - this.#reportedAtUs >= STATS_MS * 1_000) this.#report()
    }, this.#setup.reportMs)
    return { peer: this.#node.peer, addresses: this.#node.addresses(), clockUs: clockUs() }
  }

  async execute(name: Exclude<CommandName, 'start' | 'stop'>, withIt: unknown): Promise<unknown> {
    switch (name) {
      case 'connect':
        await this.#connect((withIt as Commands['connect']['with']).addresses)
        return null
      case 'generate':
        this.#generate(withIt as Commands['generate']['with'])
        return null
      case 'quiet':
        return { skipped: (await this.#generator?.stop()) ?? 0 }
      case 'propagate':
        return await this.#propagate(Buffer.from((withIt as Commands['propagate']['with']).payload, 'base64'))
      case 'report':
        this.#report()
        return null
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#generator?.stop()
    await this.#node.stop()
  }

  async #connect(addresses: readonly Address[]): Promise<void> {
    const signal = AbortSignal.timeout(CONNECT_MS)
    await Promise.all(addresses.map(address => this.#node.connect(address, { keep: true, signal })))
  }

  #generate(traffic: Commands['generate']['with']): void {
    this.#generator = new Generator(traffic, this.#setup, {
      nowMs: () => clockUs() / 1_000,
      send: async (payload, expect) => {
        try {
          const { id, atUs } = await this.#propagate(payload)
          this.#reporter.sent(id, atUs, payload.byteLength, expect)
          this.#reportIfDue()
        } catch (error) {
          this.#ports.fail(error)
        }
      },
    })
    this.#generator.start()
  }

  async #propagate(payload: Uint8Array): Promise<Sent> {
    const atUs = clockUs()
    const { id, seen, recipients } = await this.#node.propagate(this.#setup.topic, payload)
    return { id: messageHex(id), atUs, seen, recipients }
  }

  #reportIfDue(): void {
    if (this.#reporter.size >= EVENTS_MAX) this.#report()
  }

  #report(): void {
    this.#reportedAtUs = clockUs()
    this.#ports.report(this.#reporter.take(this.#stats()))
  }

  #stats(): NodeStats {
    const stats = this.#node.topicStats(this.#setup.topic)
    return {
      peers: this.#node.peers().length,
      meshPeers: stats?.meshPeers ?? 0,
      subscribers: stats?.subscribers ?? 0,
      received: stats?.received ?? 0,
      accepted: stats?.accepted ?? 0,
      ignored: stats?.ignored ?? 0,
      rejected: stats?.rejected ?? 0,
      acceptedBytes: stats?.acceptedBytes ?? 0,
      ...this.#node.traffic(),
    }
  }
}

/** The user's gate, or ours, which takes payloads as large as gossip can carry. */
async function gateOf({ handler, topic, gate, mode }: NodeSetup): Promise<TopicGate> {
  if (handler === undefined) {
    const judge: Handler = gate === 'checksum' ? ({ payload }) => checkPayload(payload) : () => true
    // A swarm goes on before it is complete only where somebody looks at its header; these payloads have none.
    const quickVerify: QuickVerify = ({ payload }) =>
      payload === undefined || gate !== 'checksum' || checkPayload(payload)
    const isFlood = mode === undefined || mode === 'flood'
    const maxPayloadBytes = isFlood ? GOSSIP_PAYLOAD_MAX_BYTES : SWARM_PAYLOAD_MAX_BYTES
    return { handler: judge, options: { maxPayloadBytes, ...(isFlood ? {} : { quickVerify }) } }
  }
  const chosen = (await loadGateModule(handler)).get(topic)
  if (chosen === undefined) throw new Error(`${handler} has no topic "${topic}"`)
  return chosen
}
