/**
 * Nodes of this project, all messages of the topic in one mode. Every payload is accepted, and every header.
 */
import type { Mode } from '../../src/core/upper.ts'
import { Crew } from '../../src/sim/crew.ts'
import { Measures } from '../../src/sim/measures.ts'
import type { Member } from '../../src/sim/population.ts'
import type { World } from '../../src/sim/world.ts'
import { type Crowd, DEGREE, type OnArrival, TOPIC } from './crowd.ts'

const PAYLOAD_MAX_BYTES = 16 * 1_024 * 1_024

export class NodeCrowd implements Crowd {
  readonly #crew: Crew
  readonly #mode: Mode
  readonly #onArrival: OnArrival

  constructor(world: World, members: readonly Member[], mode: Mode, onArrival: OnArrival) {
    // The crew's own measures are of the nodes that are up; messages are measured by the run.
    this.#crew = new Crew(world, members, new Measures(members.length))
    this.#mode = mode
    this.#onArrival = onArrival
  }

  async start(): Promise<void> {
    const config = {
      gossip: { degree: DEGREE.degree, degreeLow: DEGREE.low, degreeHigh: DEGREE.high },
      topicDefaults: {
        mode: this.#mode,
        // What is flooded has a limit of its own.
        ...(this.#mode === 'flood' || this.#mode === 'ask' ? {} : { maxPayloadBytes: PAYLOAD_MAX_BYTES }),
      },
    }
    const quick = this.#mode === 'flood' ? {} : { quickVerify: () => true }
    await this.#crew.make(config, 'off', (node, { index }) => {
      node.subscribe(TOPIC, () => true, quick)
      node.on('message', ({ payload }) => this.#onArrival(index, payload))
    })
    await Promise.all(this.#crew.members.map(({ index }) => this.#crew.start(index)))
  }

  publish(index: number, payload: Uint8Array): void {
    void this.#crew.node(index).call(node => node.propagate(TOPIC, payload))
  }

  sentBytes(): number {
    return this.#crew.sentBytes()
  }

  connections(): number {
    return this.#crew.meanConnections()
  }
}
