import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toString as asText } from 'uint8arrays/to-string'
import { parseTarget, TARGET_MAX_CHARS } from '../../src/peers/ban-target.ts'
import { PEERS } from './ban-peers.ts'

/** The text of a multihash: its head, and then so many bytes. */
function multihash(head: number[], count: number, byte = 7): string {
  return asText(Uint8Array.from([...head, ...Array.from({ length: count }, () => byte)]), 'base58btc')
}

/** A text, and the target that it is, as `kind text`; undefined for none; `peer` for the text itself. */
const cases: { id: string; text: string; target: string | undefined }[] = [
  { id: 'an IPv4 address', text: '203.0.113.7', target: 'ip 203.0.113.7' },
  { id: 'an IPv6 address in another spelling', text: '2001:DB8:0::0007', target: 'ip 2001:db8::7' },
  { id: 'an IPv4 address in IPv6', text: '::ffff:203.0.113.7', target: 'ip 203.0.113.7' },
  { id: 'a range', text: '203.0.113.0/24', target: 'cidr 203.0.113.0/24' },
  { id: 'a range with host bits', text: '203.0.113.7/24', target: 'cidr 203.0.113.0/24' },
  { id: 'a range that ends within a byte', text: '203.0.113.255/22', target: 'cidr 203.0.112.0/22' },
  { id: 'a range within ones', text: '255.255.255.255/13', target: 'cidr 255.248.0.0/13' },
  { id: 'all of IPv4', text: '1.2.3.4/0', target: 'cidr 0.0.0.0/0' },
  { id: 'a range of one address', text: '203.0.113.7/32', target: 'ip 203.0.113.7' },
  { id: 'an IPv6 range with host bits', text: '2001:db8:1:2:3::/33', target: 'cidr 2001:db8::/33' },
  { id: 'all of IPv6', text: '2001:db8::/0', target: 'cidr ::/0' },
  { id: 'an IPv6 range of one address', text: '::1/128', target: 'ip ::1' },
  { id: 'a range of IPv4 addresses in IPv6', text: '::ffff:203.0.113.7/120', target: 'cidr 203.0.113.0/24' },
  { id: 'all of IPv4 in IPv6', text: '::ffff:0:0/96', target: 'cidr 0.0.0.0/0' },
  { id: 'a wider range than that', text: '::ffff:0:0/95', target: undefined },
  { id: 'too many bits for IPv4', text: '203.0.113.0/33', target: undefined },
  { id: 'too many bits for IPv6', text: '2001:db8::/129', target: undefined },
  { id: 'no bits', text: '203.0.113.0/', target: undefined },
  { id: 'bits that are no number', text: '203.0.113.0/2x', target: undefined },
  { id: 'negative bits', text: '203.0.113.0/-1', target: undefined },
  { id: 'bits with a zero before', text: '203.0.113.0/08', target: undefined },
  { id: 'two slashes', text: '203.0.113.0/24/24', target: undefined },
  { id: 'a netmask', text: '203.0.113.0/255.255.255.0', target: undefined },
  { id: 'an IPv4 address with three parts', text: '203.0.113', target: undefined },
  { id: 'an IPv4 address with hexadecimal parts', text: '0xcb.0.0x71.7', target: undefined },
  { id: 'an IPv6 address with a zone', text: 'fe80::1%eth0', target: undefined },
  { id: 'an endpoint', text: '203.0.113.7:9000', target: undefined },
  { id: 'a multiaddr', text: '/ip4/203.0.113.7/tcp/9000', target: undefined },
  { id: 'a name', text: 'example.org', target: undefined },
  { id: 'nothing', text: '', target: undefined },
  { id: 'a space beside an address', text: ' 203.0.113.7', target: undefined },
  ...Object.entries(PEERS).flatMap(([kind, { base58, cid }]) => [
    { id: `a peer id with a key of kind ${kind}`, text: base58, target: `peer ${base58}` },
    { id: `the same as a CID, of kind ${kind}`, text: cid, target: `peer ${base58}` },
    { id: `cut short, of kind ${kind}`, text: base58.slice(0, -1), target: undefined },
    { id: `one character longer, of kind ${kind}`, text: `${base58}1`, target: undefined },
    { id: `as a CID cut short, of kind ${kind}`, text: cid.slice(0, -1), target: undefined },
    { id: `with bits, of kind ${kind}`, text: `${base58}/8`, target: undefined },
  ]),
  // `0`, `O`, `I` and `l` are not in the alphabet.
  { id: 'a peer id with a wrong character', text: PEERS.ed25519.base58.replace('W', '0'), target: undefined },
  // A CIDv1 of dag-pb, as files have them.
  {
    id: 'a CID that is no peer id',
    text: 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
    target: undefined,
  },
  { id: 'an identity multihash without a key', text: multihash([0, 36], 36, 0), target: undefined },
  {
    id: 'an identity multihash of a long key',
    text: multihash([0, 43, 8, 1, 18, 39], 39),
    target: undefined,
  },
  { id: 'an identity multihash of 42 bytes', text: multihash([0, 42, 8, 1, 18, 38], 38), target: 'peer' },
  {
    id: 'an identity multihash without a type',
    text: multihash([0, 36, 9, 1, 18, 32], 32),
    target: undefined,
  },
  {
    id: 'an identity multihash of a shorter key',
    text: multihash([0, 36, 8, 1, 18, 31], 32),
    target: undefined,
  },
  { id: 'a hash with a byte too few', text: multihash([18, 32], 31), target: undefined },
  { id: 'a hash with a byte too many', text: multihash([18, 32], 33), target: undefined },
  { id: 'a hash that says it is shorter', text: multihash([18, 31], 31), target: undefined },
  { id: 'a hash of another function', text: multihash([19, 32], 32), target: undefined },
  { id: 'a very long text', text: '1'.repeat(TARGET_MAX_CHARS + 1), target: undefined },
]

describe('the target of a ban', () => {
  for (const { id, text, target } of cases) {
    it(`${target === undefined ? 'is not' : 'is'} ${id}`, () => {
      const parsed = parseTarget(text)
      const expected = target === 'peer' ? `peer ${text}` : target
      assert.equal(parsed && `${parsed.kind} ${parsed.text}`, expected)
      // What is canonical stays as it is.
      if (parsed !== undefined) assert.deepEqual(parseTarget(parsed.text), parsed)
    })
  }
})
