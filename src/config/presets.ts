/**
 * The presets, as differences from the defaults in `schema.ts`.
 *
 * A preset lies between the defaults and everything that the user says. Each difference has its reason beside
 * it; a value that equals the default has no place here, and a test says so.
 */
import type { ConfigInput, Preset } from './schema.ts'

export const PRESETS: { readonly [name in Preset]: ConfigInput } = {
  /** The internet: the defaults. */
  wan: {},

  /** A private network whose machines are trusted not to attack each other. */
  lan: {
    connections: {
      // Several nodes behind one address (containers of one host, a NAT) start together; libp2p refuses what
      // comes faster than this without a word to the dialler.
      inboundPerSecondPerHost: 100,
      // One private network is one group, and containers of one host may share an address.
      groupRules: 'routable',
      // Trusted peers need not be kept few.
      inboundMax: 256,
    },
  },

  /** Several nodes on one machine, for development and tests. */
  local: {
    // Loopback: nothing is reachable from outside. Port 0: any number of nodes without choosing ports.
    listen: ['/ip4/127.0.0.1/tcp/0'],
    connections: {
      // All nodes dial from 127.0.0.1: with the default, a cluster of more than about ten nodes never forms.
      inboundPerSecondPerHost: 10_000,
      // A cluster starts within a second, so many handshakes are under way at once, slowly, on shared cores.
      pendingInboundMax: 256,
      // All nodes have one address, and are one group.
      groupRules: 'routable',
      // In a star of hundreds of nodes all dial the one in the middle.
      inboundMax: 1_024,
      // Nothing is protected by waiting, and someone who restarts a node looks at the screen.
      redialMinMs: 200,
      redialMaxMs: 5_000,
    },
    gossip: {
      // All nodes share one address, and the penalty would sink their scores until meshes fall apart, silently.
      penaliseSharedIp: false,
    },
  },
}
