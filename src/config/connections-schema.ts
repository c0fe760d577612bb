/**
 * The sections of the configuration about other nodes: what connections may cost, and how nodes are found. Its rules are
 * those of `schema.ts`.
 */
import * as z from 'zod'
import { isSeed } from '../core/seed.ts'
import { DAY_MS, whole } from './numbers.ts'

export const connections = z
  .strictObject({
    outboundTarget: whole(0, 256)
      .default(12)
      .describe(
        'How many peers the node dials and keeps by itself, each in a network group of its own. More are harder to surround, and cost more.',
      ),
    anchors: whole(0, 256)
      .default(4)
      .describe(
        'How many of these are remembered through restarts and dialled first: a restart is when a node is easiest to surround. At most `outboundTarget`.',
      ),
    inboundMax: whole(0, 65_535)
      .default(64)
      .describe(
        'How many peers that dial in are kept; then a newcomer takes the place of the one worth least, or is refused.',
      ),
    perIpMax: whole(1, 65_535).default(3).describe('How many inbound connections one IP address may hold.'),
    pendingPerIpMax: whole(1, 65_535)
      .default(2)
      .describe('How many of these may be in their handshakes at once. Silent sockets so hold few places.'),
    perGroupMax: whole(1, 65_535)
      .default(8)
      .describe('How many inbound connections one network group (IPv4 /16, IPv6 /32) may hold.'),
    groupRules: z
      .enum(['all', 'routable'])
      .default('all')
      .describe(
        '`all`: the limits for IP addresses and groups hold for every address, and private addresses are not passed on. `routable`: loopback and private addresses are exempt, and are passed on.',
      ),
    feelerPeriodMs: whole(100, DAY_MS)
      .default(120_000)
      .describe(
        'How often, on average, an address from the book is tried while all outbound places are taken, in milliseconds: so that the book knows who can be reached.',
      ),
    rotationMinMs: whole(100, DAY_MS)
      .default(20_000)
      .describe(
        'The shortest pause before the youngest outbound peer gives its place to one from another network group, in milliseconds. It lets a network that was split find together again.',
      ),
    rotationMaxMs: whole(100, DAY_MS).default(40_000).describe('The longest such pause, in milliseconds.'),
    dialTimeoutMs: whole(100, 120_000)
      .default(5_000)
      .describe(
        'How long a dial may take, from the first packet to the finished handshakes, in milliseconds. Raise it on very slow links.',
      ),
    upgradeTimeoutMs: whole(100, 120_000)
      .default(5_000)
      .describe(
        'How long the handshakes of an inbound connection may take, in milliseconds. Lower it to free the places of silent sockets sooner.',
      ),
    parallelDials: whole(1, 1_000).default(50).describe('How many dials may be under way at once.'),
    dialQueueMax: whole(1, 100_000)
      .default(500)
      .describe('How many dials may wait for their turn; further ones fail at once.'),
    pendingInboundMax: whole(1, 65_535)
      .default(128)
      .describe(
        'How many inbound connections may be in their handshakes at once; for a further one the oldest is cut of the network that has most of them. Raise it where many nodes start together.',
      ),
    inboundPerSecondPerHost: whole(1, 1_000_000)
      .default(5)
      .describe(
        'How many connections one IP address may open a second; further ones are refused. Raise it where several nodes share an address.',
      ),
    streamsPerConnectionMax: whole(8, 65_535)
      .default(64)
      .describe(
        'How many streams a peer may hold open on one connection; further ones are refused. Lower it to bound what one peer costs.',
      ),
    redialMinMs: whole(10, 3_600_000)
      .default(1_000)
      .describe(
        'The pause before a lost connection of `peers` is dialled again, in milliseconds; it doubles with each failure.',
      ),
    redialMaxMs: whole(10, DAY_MS)
      .default(60_000)
      .describe(
        'The longest pause between two dials of the same address, in milliseconds. Lower it to heal sooner after a long outage.',
      ),
  })
  .prefault({})
  .describe('Connections to other nodes, and what they may cost.')

export const discovery = z
  .strictObject({
    exchange: z
      .boolean()
      .default(true)
      .describe(
        'Ask peers for addresses, and answer them. Only addresses that this node reached itself are told.',
      ),
    dnsSeeds: z
      .array(
        z
          .string()
          .max(300)
          .refine(isSeed)
          .meta({ title: 'a DNS seed, such as /dnsaddr/seed.example.org or seed.example.org:9000' }),
      )
      .max(64)
      .default([])
      .describe(
        'Names that are asked for addresses when the book has too few: `/dnsaddr/NAME` (TXT records), or `NAME:PORT` and `/dns4/NAME/tcp/PORT` (A and AAAA records).',
      ),
    dnsServers: z
      .array(z.string().min(1).max(100))
      .max(8)
      .default([])
      .describe('DNS servers to ask, as ADDRESS or ADDRESS:PORT; without any, those of the system.'),
    dht: z
      .boolean()
      .default(false)
      .describe(
        'Take part in a Kademlia table of this network and walk it for addresses. It finds nodes that exchange has not, and costs connections and work.',
      ),
  })
  .prefault({})
  .describe('How the node finds others, besides its address book, `peers` and `bootstrapFile`.')
