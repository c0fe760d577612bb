import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dialAddress } from '../../../src/cli/cluster/addresses.ts'

const [LOOP, LOOP6, LAN, LAN6] = [
  '/ip4/127.0.0.1/tcp/1',
  '/ip6/::1/tcp/1',
  '/ip4/10.78.0.2/tcp/1',
  '/ip6/fd00::2/tcp/1',
]

describe('dialAddress', () => {
  const cases: [string, string[], boolean, string | undefined][] = [
    ['loopback on one machine', [LAN, LOOP], false, LOOP],
    ['the outside when wrapped', [LOOP, LOOP6, LAN, LAN6], true, LAN],
    ['loopback when wrapped by something without a network', [LOOP], true, LOOP],
    ['whatever there is', [LAN], false, LAN],
    ['nothing', [], true, undefined],
  ]
  for (const [id, addresses, wrapped, expected] of cases) {
    it(id, () => assert.equal(dialAddress(addresses, wrapped), expected))
  }
})
