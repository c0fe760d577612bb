/**
 * Every key of a scenario, once: its bounds, default and meaning. The JSON Schema and the table in
 * `docs/simulation.md` are derived from here.
 *
 * Rules:
 * - Objects are strict, as in the configuration: a misspelt key that is ignored looks like a setting.
 * - Times of events and attackers count from the end of the warm-up.
 * - What needs more than one value to tell is checked in `scenario.ts`.
 */
import * as z from 'zod'
import { PAYLOAD_MIN_BYTES } from '../cli/cluster/payload.ts'
import { attacker, event } from './event-schema.ts'
import {
  bitRate,
  duration,
  eventRate,
  flag,
  fraction,
  list,
  name,
  section,
  selector,
  size,
  whole,
  word,
} from './quantity.ts'

const topic = z.string({ error: 'expected a topic' }).min(1, { error: 'expected a topic' })

const nodes = z
  .strictObject(
    {
      count: whole(1, 10_000).describe('How many nodes; they are called n1, n2, …'),
      shape: word(['random', 'line', 'star', 'bootstrap'])
        .default('random')
        .describe(
          'Who dials whom. `random`: each node dials `connect` others at random. `line`: each dials the one before it. `star`: all dial n1. `bootstrap`: all dial some of the first nodes.',
        ),
      connect: whole(1, 100)
        .default(8)
        .describe('How many others a node dials (`random`), or how many of the first nodes (`bootstrap`).'),
      bootstraps: whole(1, 1_000)
        .default(3)
        .describe('How many of the first nodes the others dial, with `shape: bootstrap`.'),
      acquainted: flag
        .default(true)
        .describe('Whether those first nodes dial each other, with `shape: bootstrap`.'),
      discovery: word(['off', 'peers', 'bootstrap'])
        .default('off')
        .describe(
          'What nodes do with the addresses that they are given. `off`: keep them connected, and look for no others. `peers`: the same, and find others by themselves. `bootstrap`: they are the bootstrap list.',
        ),
      config: z
        .record(z.string(), z.unknown(), section)
        .default({})
        .describe(
          'Keys of the node configuration, for all nodes. They run the preset `wan` without log lines.',
        ),
    },
    section,
  )
  .describe('The nodes, and the addresses that each is given.')

const nodeClass = z.strictObject(
  {
    share: fraction.optional().describe('Its share of the nodes; what is left goes to classes without one.'),
    up: bitRate.prefault('unlimited').describe('The rate of a node’s uplink.'),
    down: bitRate.prefault('unlimited').describe('The rate of a node’s downlink.'),
  },
  section,
)

const regions = z
  .strictObject(
    {
      preset: word(['world8']).optional().describe('Eight regions of the world with their latencies.'),
      weights: z
        .record(name, z.number({ error: 'expected a number' }).positive({ error: 'expected more than 0' }))
        .optional()
        .describe('Own regions: how many nodes each has, in proportion to the others.'),
      oneWay: z
        .record(name, z.record(name, duration, section), section)
        .optional()
        .describe('Own regions: the latency from one to another, and within each. Either direction will do.'),
    },
    section,
  )
  .describe('Latency by region, in place of `latency`: a preset, or `weights` and `oneWay`.')

const traffic = z
  .strictObject(
    {
      topic: topic.describe('All nodes subscribe to it.'),
      size: size(PAYLOAD_MIN_BYTES).prefault('1kB').describe('The size of a payload.'),
      rate: eventRate.optional().describe('Messages a second of all nodes together, at random times.'),
      every: duration.optional().describe('In place of `rate`: one message each time, the first at once.'),
      at: duration.prefault('0s').describe('When the first may leave, from the end of the warm-up.'),
      from: selector.prefault('all').describe('Who sends: one of these nodes, at random, for each message.'),
      files: z
        .string({ error: 'expected a folder' })
        .optional()
        .describe(
          'A folder whose files are sent, each once, in the order of their names, in place of `size`.',
        ),
      validate: z
        .strictObject(
          {
            quick: duration
              .optional()
              .describe('A quick verdict, which takes this long, decides what is passed on.'),
            full: duration.prefault('0ms').describe('How long the handler takes.'),
          },
          section,
        )
        .prefault({})
        .describe('What verdicts cost in virtual time. A node works on one after the other.'),
    },
    section,
  )
  .describe('One kind of message.')

const claim = z
  .union(
    [
      z.string(),
      z.strictObject({
        assert: z.string().describe('What must hold in the end.'),
        expectedToFail: z
          .string()
          .min(1)
          .describe('The figure that it shows today. When the assertion holds, the run fails.'),
      }),
    ],
    { error: 'expected an assertion such as "coverage(blocks) >= 0.999", or { assert, expectedToFail }' },
  )
  .transform(value => (typeof value === 'string' ? { assert: value } : value))

export const scenarioSchema = z.strictObject(
  {
    seed: z
      .union([z.string(), z.number()], { error: 'expected a number or a text' })
      .default('1')
      .transform(String)
      .describe('Decides everything that is left to chance.'),
    duration: duration.describe('How long messages are sent and events happen, after the warm-up.'),
    warmup: duration.prefault('30s').describe('How long the nodes have to find each other before that.'),
    drain: duration.prefault('10s').describe('How long messages may still arrive after that.'),
    nodes,
    classes: z
      .record(name, nodeClass, section)
      .default({})
      .describe('Kinds of nodes, by the rates of their lines. Without any, lines are never the bottleneck.'),
    latency: duration.optional().describe('One way between any two nodes; 50ms unless `regions` are given.'),
    regions: regions.optional(),
    jitter: duration.prefault('0ms').describe('Up to this much is added to the latency of each slice.'),
    slowStart: flag.default(false).describe('TCP’s slow start, on new and idle connections.'),
    handlers: z
      .string({ error: 'expected a path' })
      .optional()
      .describe(
        'A module with your own handlers, as for `floodgate cluster --handler`, relative to this file.',
      ),
    traffic: z
      .array(traffic, list)
      .min(1, { error: 'expected at least one kind of message' })
      .describe('What is sent.'),
    events: z.array(event, list).default([]).describe('What happens.'),
    attackers: z.array(attacker, list).default([]).describe('Who does harm.'),
    assert: z.array(claim, list).default([]).describe('What must hold in the end.'),
  },
  section,
)

/** A scenario as it was read: times in milliseconds, sizes in bytes, rates a second. */
export type ScenarioValues = z.output<typeof scenarioSchema>

export type TrafficValues = ScenarioValues['traffic'][number]

export type EventValues = ScenarioValues['events'][number]

export type AttackerValues = ScenarioValues['attackers'][number]

/** For editors. */
export function scenarioJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(scenarioSchema, { io: 'input', target: 'draft-7' })
}
