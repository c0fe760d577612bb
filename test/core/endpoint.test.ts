import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  addressOf,
  canonicalIp,
  endpointFrom,
  endpointOf,
  groupOf,
  ipOf,
  isRoutable,
  isUsable,
  parseEndpoint,
  peerOf,
  ruledGroup,
} from '../../src/core/endpoint.ts'

const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

describe('endpoints', () => {
  for (const { text, canonical } of [
    { text: '203.0.113.7', canonical: '203.0.113.7' },
    { text: '2001:DB8:0:0::1', canonical: '2001:db8::1' },
    { text: '::ffff:203.0.113.7', canonical: '203.0.113.7' },
    { text: '::ffff:cb00:7107', canonical: '203.0.113.7' },
    { text: '203.0.113', canonical: undefined },
    { text: '203.0.113.256', canonical: undefined },
    { text: '0x7f.0.0.1', canonical: undefined },
    { text: 'fe80::1%eth0', canonical: undefined },
    { text: 'seed.example.org', canonical: undefined },
    { text: '', canonical: undefined },
  ]) {
    it(`${JSON.stringify(text)} is ${canonical ?? 'no IP address'}`, () =>
      assert.equal(canonicalIp(text), canonical))
  }

  for (const { address, endpoint } of [
    { address: '/ip4/203.0.113.7/tcp/9000', endpoint: '203.0.113.7:9000' },
    { address: `/ip4/203.0.113.7/tcp/9000/p2p/${PEER}`, endpoint: '203.0.113.7:9000' },
    { address: '/ip6/2001:DB8::1/tcp/9000', endpoint: '[2001:db8::1]:9000' },
    { address: '/ip6/::ffff:203.0.113.7/tcp/9000', endpoint: '203.0.113.7:9000' },
    { address: '/ip4/203.0.113.7/tcp/0', endpoint: undefined },
    { address: '/ip4/203.0.113.7/tcp/65536', endpoint: undefined },
    { address: '/ip4/203.0.113.7/udp/9000', endpoint: undefined },
    { address: '/ip4/203.0.113.7/tcp/9000/ws', endpoint: undefined },
    { address: '/dns4/seed.example.org/tcp/9000', endpoint: undefined },
    { address: `/ip4/203.0.113.7/tcp/9000/p2p/${PEER}/p2p-circuit`, endpoint: undefined },
  ]) {
    it(`${address} leads to ${endpoint ?? 'no endpoint'}`, () => assert.equal(endpointOf(address), endpoint))
  }

  it('are written and read alike', () => {
    const ip = fc.oneof(fc.ipV4(), fc.ipV6())
    fc.assert(
      fc.property(ip, fc.integer({ min: 1, max: 65_535 }), (text, port) => {
        const endpoint = endpointFrom(text, port)
        if (endpoint === undefined) return
        const { ip: back, port: portBack } = parseEndpoint(endpoint) ?? { ip: '', port: 0 }
        assert.equal(endpointFrom(back, portBack), endpoint)
        assert.equal(endpointOf(addressOf(endpoint)), endpoint)
        assert.equal(endpointOf(addressOf(endpoint, PEER)), endpoint)
        assert.equal(peerOf(addressOf(endpoint, PEER)), PEER)
        assert.equal(ipOf(addressOf(endpoint)), back)
        assert.equal(groupOf(endpoint), groupOf(back))
      }),
      { numRuns: 500 },
    )
  })

  it('are not read from any text', () => {
    for (const text of [
      '',
      ':',
      '1.2.3.4',
      '1.2.3.4:',
      '1.2.3.4:0',
      '01.2.3.4:5',
      '[1.2.3.4]:5',
      '[::1]',
      '::1:9000',
    ]) {
      assert.equal(parseEndpoint(text), undefined, text)
    }
  })
})

describe('groups', () => {
  for (const { ip, group, routable, usable = true } of [
    { ip: '198.41.0.4', group: '4:198.41', routable: true },
    { ip: '2606:4700:1:2::1', group: '6:2606:4700', routable: true },
    { ip: '::ffff:198.41.0.4', group: '4:198.41', routable: true },
    { ip: '2002:c629:0004::1', group: '4:198.41', routable: true },
    { ip: '2002:0a00:0001::1', group: '4:10.0', routable: false },
    { ip: '2001:0:4136:e378:8000:63bf:39d6:fffb', group: '4:198.41', routable: true },
    { ip: '64:ff9b::198.41.0.4', group: '4:198.41', routable: true },
    { ip: '10.1.2.3', group: '4:10.1', routable: false },
    { ip: '172.16.0.1', group: '4:172.16', routable: false },
    { ip: '192.168.1.1', group: '4:192.168', routable: false },
    { ip: '100.64.0.1', group: '4:100.64', routable: false },
    { ip: '127.0.0.1', group: '4:127.0', routable: false },
    { ip: '169.254.1.1', group: '4:169.254', routable: false },
    { ip: '::1', group: '6:0:0', routable: false },
    { ip: 'fd00::1', group: '6:fd00:0', routable: false },
    { ip: 'fe80::1', group: '6:fe80:0', routable: false },
    { ip: '0.0.0.0', group: '4:0.0', routable: false, usable: false },
    { ip: '224.0.0.1', group: '4:224.0', routable: false, usable: false },
    { ip: '255.255.255.255', group: '4:255.255', routable: false, usable: false },
    { ip: '::', group: '6:0:0', routable: false, usable: false },
    { ip: 'ff02::1', group: '6:ff02:0', routable: false, usable: false },
  ]) {
    it(`${ip} is of ${group}, ${routable ? '' : 'not '}routable, ${usable ? '' : 'not '}usable`, () => {
      assert.deepEqual([groupOf(ip), isRoutable(ip), isUsable(ip)], [group, routable, usable])
      assert.equal(ruledGroup(ip, 'all'), group)
      assert.equal(ruledGroup(ip, 'routable'), routable ? group : undefined)
    })
  }

  it('are of their own for text that is no address', () => {
    assert.notEqual(groupOf('a'), groupOf('b'))
    assert.equal(isRoutable('a'), false)
    assert.equal(isUsable(''), false)
  })
})
