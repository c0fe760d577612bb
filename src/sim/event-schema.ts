/**
 * Events and attackers: the part of a scenario in which `kind` decides which other keys there are.
 */
import * as z from 'zod'
import { PAYLOAD_MIN_BYTES } from '../cli/cluster/payload.ts'
import {
  bitRate,
  duration,
  eventRate,
  flag,
  fraction,
  list,
  name,
  offset,
  selector,
  size,
  whole,
} from './quantity.ts'

const at = duration.describe('When, from the end of the warm-up.')
const label = name.optional().describe('What the phase is called that begins here.')
const nodesOf = selector.describe('Which nodes.')
const keepData = flag.default(true).describe('Whether a node finds its data when it comes back.')

/** Something that happens to nodes or to the network between them. */
export const event = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('partition').describe('Nodes of different groups no longer reach each other.'),
      at,
      for: duration.optional().describe('When it heals; without it, it does not.'),
      groups: z
        .array(selector, list)
        .min(2, { error: 'expected at least two groups' })
        .describe('The groups, each a selector of nodes; those in none reach everyone.'),
      name: label,
    }),
    z.strictObject({
      kind: z.literal('churn').describe('Nodes leave and come back.'),
      at,
      for: duration.describe('How long nodes leave.'),
      rate: eventRate.describe('How many leave.'),
      away: duration.prefault('20s').describe('How long each is away.'),
      crash: fraction.prefault(0).describe('The share that loses power instead of stopping in order.'),
      keepData,
      name: label,
    }),
    z.strictObject({
      kind: z.literal('crash').describe('Nodes lose power: nobody is told.'),
      at,
      for: duration.optional().describe('When they come back; without it, they do not.'),
      nodes: nodesOf,
      keepData,
      name: label,
    }),
    z.strictObject({
      kind: z.literal('restart').describe('Nodes stop in order and start again.'),
      at,
      for: duration.prefault('1s').describe('How long they are away.'),
      nodes: nodesOf,
      keepData,
      name: label,
    }),
    z.strictObject({
      kind: z.literal('skew').describe('Wall clocks are set wrong.'),
      at,
      nodes: nodesOf,
      by: offset.describe('How far; below 0 they are slow.'),
      name: label,
    }),
    z.strictObject({
      kind: z.literal('reset').describe('Connections break, and both sides hear of it.'),
      at,
      share: fraction.prefault(1).describe('The share of the connections of these nodes.'),
      nodes: selector.prefault('all').describe('Which nodes.'),
      name: label,
    }),
    z.strictObject({
      kind: z.literal('rates').describe('Lines change their rates.'),
      at,
      for: duration.optional().describe('When they are as before; without it, never.'),
      nodes: nodesOf,
      up: bitRate.optional().describe('The new rate of the uplinks.'),
      down: bitRate.optional().describe('The new rate of the downlinks.'),
      name: label,
    }),
    z.strictObject({
      kind: z.literal('mark').describe('Nothing happens: a phase begins, to be measured apart.'),
      at,
      name: label,
    }),
  ],
  { error: 'expected a kind of event: partition, churn, crash, restart, skew, reset, rates, mark' },
)

const attackerKeys = {
  count: whole(1, 10_000).describe('How many.'),
  connections: whole(1, 1_000)
    .default(8)
    .describe('How many nodes each one dials, again when it is sent away.'),
  at: duration.prefault('0s').describe('When they come, from the end of the warm-up.'),
  groups: whole(1, 250)
    .default(1)
    .describe('In how many network groups (IPv4 /16) their addresses lie. Each has an address of its own.'),
}

/** Some attackers of a kind. */
export const attacker = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('sybil').describe('Grafts into the mesh of everyone and forwards nothing.'),
      ...attackerKeys,
    }),
    z.strictObject({
      kind: z
        .literal('impostor')
        .describe(
          'Shakes hands like a node, can be dialled, and tells of its own kind only. Grafts and forwards nothing, like a sybil.',
        ),
      ...attackerKeys,
    }),
    z.strictObject({
      kind: z.literal('spam').describe('Sends messages that no gate accepts.'),
      ...attackerKeys,
      rate: eventRate.prefault('1/s').describe('How many each one sends.'),
      size: size(PAYLOAD_MIN_BYTES).prefault('1kB').describe('How large they are.'),
    }),
    z.strictObject({
      kind: z.literal('slow-reader').describe('Grafts like a sybil, and reads next to nothing.'),
      ...attackerKeys,
      down: bitRate.prefault('8kbit').describe('How fast it reads.'),
    }),
    z.strictObject({
      kind: z.literal('oversized').describe('Sends payloads that are larger than the topic allows.'),
      ...attackerKeys,
      rate: eventRate.prefault('6/m').describe('How many each one sends.'),
      size: size(PAYLOAD_MIN_BYTES).prefault('2MB').describe('How large they are.'),
    }),
  ],
  { error: 'expected a kind of attacker: sybil, impostor, spam, slow-reader, oversized' },
)
