/**
 * Every key of the configuration, once: its name, bounds, default and meaning.
 *
 * The types, the JSON Schema for editors, the commented file of `floodgate init`, the names of the
 * environment variables, the text of every error and `docs/configuration.md` are derived from here, so that
 * they cannot differ.
 *
 * Rules:
 * - Objects are strict: an unknown key is an error, because a misspelt key that is ignored looks like a
 *   setting.
 * - A name ends in its unit, and a number is a plain number. Every number has bounds.
 * - `describe` says what the key means and what turning it does; `title`, where there is one, is the noun
 *   phrase that completes "expected …" in an error; `examples` stand in the commented file for keys without a
 *   default.
 * - The defaults here are those of the `wan` preset; `presets.ts` holds what the others change.
 * - Only what one value can tell is checked here. What needs two values is in `checks.ts`.
 */
import * as z from 'zod'
import { SWARM_PAYLOAD_MAX_BYTES, TOPIC_MAX_BYTES } from '../core/limits.ts'
import { isTopic } from '../core/topic.ts'
import { connections, discovery } from './connections-schema.ts'
import { DAY_MS, whole } from './numbers.ts'

const GIB_BYTES = 1_073_741_824

const address = z
  .string()
  .max(512)
  .regex(/^\//)
  .meta({ title: 'an address that starts with "/", such as /ip4/192.0.2.1/tcp/9000' })

const path = z.string().min(1).max(4_096).meta({ title: 'a path' })

const gossip = z
  .strictObject({
    signing: z
      .enum(['none', 'strict'])
      .default('none')
      .describe(
        '`none`: messages carry neither author nor signature, and their id is a hash of topic and payload. `strict`: messages are signed and numbered, as other libp2p programs do by default. All nodes of a network must agree.',
      ),
    heartbeatMs: whole(100, 60_000)
      .default(1_000)
      .describe(
        'The period of mesh upkeep and of the lists of recent ids that repair losses, in milliseconds. Shorter repairs sooner and costs more.',
      ),
    historyLength: whole(2, 600)
      .default(5)
      .describe(
        'For how many heartbeats a payload is kept for neighbours that ask for it. Longer allows later verdicts and costs memory.',
      ),
    historyGossip: whole(1, 600)
      .default(3)
      .describe('For how many heartbeats the id of a message is told to peers outside the mesh.'),
    degree: whole(1, 100)
      .default(6)
      .describe(
        'How many mesh neighbours a node wants per topic. Higher is faster and more robust, and sends more copies of every payload.',
      ),
    degreeLow: whole(1, 100)
      .default(4)
      .describe('With fewer mesh neighbours than this the node looks for more.'),
    degreeHigh: whole(1, 200)
      .default(12)
      .describe('With more mesh neighbours than this the node lets some go.'),
    degreeLazy: whole(0, 100)
      .default(6)
      .describe(
        'To how many peers outside the mesh the list of recent ids goes at each heartbeat. Higher repairs more and costs more.',
      ),
    outboundBufferBytes: whole(65_536, GIB_BYTES)
      .default(33_554_432)
      .describe(
        'How many bytes may wait for one slow peer; a stream that exceeds it is aborted. Lower it to save memory, raise it for large payloads.',
      ),
    idontwantMinBytes: whole(0, GIB_BYTES)
      .default(65_536)
      .describe(
        'From which payload size on neighbours are told that another copy is not wanted. For small payloads the word costs more than the copy.',
      ),
    seenTtlMs: whole(1_000, DAY_MS)
      .default(600_000)
      .describe('For how long a message counts as seen and is not handled again, in milliseconds.'),
    seenMax: whole(1_000, 10_000_000)
      .default(1_000_000)
      .describe(
        'How many message ids are remembered as seen; beyond it the oldest are forgotten. Lower it to save memory; a message that is forgotten too soon is handled twice.',
      ),
    subscriptionBytesPerPeer: whole(1_024, 16_777_216)
      .default(262_144)
      .describe('How many bytes of topic names a peer may subscribe to; further ones are not recorded.'),
    penaliseSharedIp: z
      .boolean()
      .default(true)
      .describe(
        'Lower the gossip score of peers that share an IP address with many others. Set it to false where several nodes run on one address.',
      ),
  })
  .prefault({})
  .describe('Gossip: how messages spread, in gossipsub’s terms.')

const limits = {
  mode: z
    .enum(['flood', 'ask', 'swarm', 'auto'])
    .describe(
      'How payloads travel. `flood`: inside the gossip message, which plain gossipsub peers understand. `ask`: announced by id and asked for, one copy each; for transactions. `swarm`: announced by a header and spread in chunks, fast for large ones. `auto`: by size.',
    ),
  askFromBytes: whole(0, SWARM_PAYLOAD_MAX_BYTES).describe(
    'Mode `auto`: payloads from this size in bytes are announced and asked for. Smaller ones are flooded, which is faster.',
  ),
  swarmFromBytes: whole(0, SWARM_PAYLOAD_MAX_BYTES).describe(
    'Mode `auto`: payloads from this size in bytes swarm. They go on before they are complete only where the program has a quick verdict for headers.',
  ),
  floodDegree: z
    .enum(['mesh', 'all'])
    .describe(
      'To whom a message that this node propagates goes: its mesh neighbours, or every connected subscriber (faster, more copies).',
    ),
  maxPayloadBytes: whole(1, Number.MAX_SAFE_INTEGER)
    .max(SWARM_PAYLOAD_MAX_BYTES, { error: 'larger payloads do not travel in one piece' })
    .describe(
      'The largest payload in bytes; a peer that sends a larger one is scored down. All nodes of a network should agree.',
    ),
  verdictTimeoutMs: whole(1, DAY_MS).describe(
    'How long a message may wait for its verdict, in milliseconds; one that comes later still delivers the message, but does not pass it on.',
  ),
  concurrency: whole(1, 65_536).describe(
    'How many calls of the handler may be under way at once. Set it to 1 for a handler that must see one message after another.',
  ),
  queueMaxMessages: whole(1, 1_000_000).describe(
    'How many messages may wait for the handler; beyond it the oldest of the peer with most waiting is dropped.',
  ),
  queueMaxBytes: whole(1, GIB_BYTES).describe(
    'How many bytes of payload may wait for the handler; beyond it the oldest of the peer with most waiting is dropped.',
  ),
  keepMaxBytes: whole(0, GIB_BYTES).describe(
    'How many bytes of accepted payloads are kept, up to a minute, for peers that ask for them; beyond it the oldest go. Less breaks promises under load.',
  ),
  holdMs: whole(1, DAY_MS).describe(
    'How long a message waits for others that its handler named, in milliseconds.',
  ),
}

const topicDefaults = z
  .strictObject({
    mode: limits.mode.default('flood'),
    askFromBytes: limits.askFromBytes.default(4_097),
    swarmFromBytes: limits.swarmFromBytes.default(65_536),
    floodDegree: limits.floodDegree.default('mesh'),
    maxPayloadBytes: limits.maxPayloadBytes.default(1_048_576),
    verdictTimeoutMs: limits.verdictTimeoutMs.default(2_000),
    concurrency: limits.concurrency.default(64),
    queueMaxMessages: limits.queueMaxMessages.default(16_384),
    queueMaxBytes: limits.queueMaxBytes.default(67_108_864),
    keepMaxBytes: limits.keepMaxBytes.default(67_108_864),
    holdMs: limits.holdMs.default(60_000),
  })
  .prefault({})
  .describe('What holds for every topic that `topics` says nothing else about.')

const topics = z
  .record(
    z
      .string()
      .min(1)
      .max(TOPIC_MAX_BYTES)
      .refine(isTopic)
      .meta({ title: `a topic name of 1 to ${TOPIC_MAX_BYTES} bytes of UTF-8` }),
    z.strictObject(limits).partial(),
  )
  .meta({ title: 'topic names with a section of limits each, such as { tx: { maxPayloadBytes: 65536 } }' })
  .default({})
  .describe('Limits of single topics: each key of `topicDefaults` may be set for one topic alone.')

const score = z
  .strictObject({
    halfLifeMs: whole(1_000, 30 * DAY_MS)
      .default(600_000)
      .describe('How long it takes until half of a peer’s bad score is forgiven, in milliseconds.'),
    dropBelow: z
      .number()
      .min(-1_000_000)
      .lt(0)
      .nullable()
      .default(-100)
      .describe(
        'A peer whose score sinks below this is disconnected; null means never. Closer to 0 is stricter; a rejected message costs 10.',
      ),
    discourageBelow: z
      .number()
      .min(-1_000_000)
      .lt(0)
      .nullable()
      .default(null)
      .describe(
        'Below this a peer is not dialled for a day, and until the node restarts it is the first to go when places are short; null means twice `dropBelow`.',
      ),
  })
  .prefault({})
  .describe('What becomes of peers that misbehave.')

const level = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])

const log = z
  .strictObject({
    level: level.default('info').describe('The least important lines that are still written.'),
    format: z
      .enum(['auto', 'json', 'pretty'])
      .default('auto')
      .describe(
        '`json`: one object a line. `pretty`: text for people. `auto`: `pretty` on a terminal, else `json`.',
      ),
    components: z
      .record(z.string().min(1).max(128).meta({ title: 'a component name of 1 to 128 characters' }), level)
      .meta({ title: 'component names with a level each, such as { "libp2p:gossipsub": warn }' })
      .default({})
      .describe(
        'Levels of single components; a name covers what begins with it and a colon, so `libp2p` covers `libp2p:gossipsub`. Without a word here `libp2p` has `error`.',
      ),
  })
  .prefault({})
  .describe('Log lines; they go to standard error.')

const watchdog = z
  .strictObject({
    eventLoopDelayMs: whole(10, 60_000)
      .default(200)
      .describe(
        'Warn when the only thread was held for longer than this, in milliseconds: verdicts and heartbeats were late.',
      ),
    slowStartMs: whole(100, 600_000)
      .default(10_000)
      .describe(
        'While the start of the node is not finished, say each time what it waits for, in milliseconds.',
      ),
  })
  .prefault({})
  .describe('When the node warns about itself.')

export const configSchema = z.strictObject({
  network: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .meta({ title: '1 to 32 of the characters a-z, 0-9 and "-"' })
    .default('floodgate-dev')
    .describe(
      'The name of the network: peers of another one are sent away in the handshake, and its data folder is refused.',
    ),
  preset: z
    .enum(['local', 'lan', 'wan'])
    .default('wan')
    .describe(
      'The set of defaults: `local` for several nodes on one machine, `lan` for a private network, `wan` for the internet.',
    ),
  dataDir: path
    .meta({ examples: ['./floodgate-data'] })
    .optional()
    .describe(
      'The folder for everything that survives a restart. The command line uses ./floodgate-data unless it is set; in the library, without it all is kept in memory and every start makes a new identity.',
    ),
  identityFile: path
    .meta({ examples: ['./floodgate-data/identity.key'] })
    .optional()
    .describe('The file with the private key of the node, mode 0600. Without it: identity.key in `dataDir`.'),
  listen: z
    .array(address)
    .max(32)
    .default(['/ip4/0.0.0.0/tcp/9000'])
    .describe('Where the node accepts connections; tcp/0 takes a free port, an empty list accepts none.'),
  announce: z
    .array(address)
    .max(32)
    .default([])
    .describe(
      'Addresses told to others in place of those found, for a node behind a port forward or with a DNS name.',
    ),
  peers: z
    .array(address)
    .max(1_000)
    .default([])
    .describe('Addresses that are kept connected: a lost connection is dialled again, with growing pauses.'),
  onlyPeers: z
    .boolean()
    .default(false)
    .describe(
      'Dial `peers` and nobody else: no address book, seeds, bootstrap list or exchange. Others may still dial in where the node listens.',
    ),
  interop: z
    .boolean()
    .default(true)
    .describe(
      'Let plain gossipsub peers of other programs take part in topics with mode `flood`. They get at most a quarter of the inbound places.',
    ),
  bootstrapFile: path
    .meta({ examples: ['./bootstrap-peers.json'] })
    .optional()
    .describe(
      'A JSON file { "<network>": ["<address>", …] } with addresses by which new nodes find the network, used when all else has failed. Without it the command line reads the one that comes with Floodgate, and the library none.',
    ),
  connections,
  discovery,
  gossip,
  topicDefaults,
  topics,
  score,
  log,
  watchdog,
})

/** The configuration with every default filled in. */
export type Config = z.output<typeof configSchema>

/** What a user may write: every key is optional. */
export type ConfigInput = z.input<typeof configSchema>

export type Preset = Config['preset']
