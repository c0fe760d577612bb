import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { subscriberOf } from '../../src/peers/subscriber.ts'

const cases: { id: string; ip: string; subscriber: string }[] = [
  { id: 'an IPv4 address is one', ip: '203.0.113.7', subscriber: '203.0.113.7' },
  { id: 'mapped into IPv6 it is the same one', ip: '::ffff:203.0.113.7', subscriber: '203.0.113.7' },
  { id: 'an IPv6 address is one with its /64', ip: '2001:db8:0:1:2:3:4:5', subscriber: '2001:db8:0:1::/64' },
  { id: 'the next /64 is another one', ip: '2001:db8:0:2:2:3:4:5', subscriber: '2001:db8:0:2::/64' },
  {
    id: 'the end of the /64 belongs to it',
    ip: '2001:db8:0:1:ffff:ffff:ffff:ffff',
    subscriber: '2001:db8:0:1::/64',
  },
  { id: 'no address is one of its own', ip: '', subscriber: '' },
  { id: 'other text is one of its own', ip: 'example.org', subscriber: 'example.org' },
]

describe('the subscriber of an address', () => {
  for (const { id, ip, subscriber } of cases) {
    it(id, () => assert.equal(subscriberOf(ip), subscriber))
  }
})
