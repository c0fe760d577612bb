import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FloodgateError } from '../../src/core/errors.ts'
import type { Host } from '../../src/core/ports.ts'
import { dialNamed } from '../../src/peers/named.ts'
import { FakeResolver } from '../fixtures/fake-network.ts'

const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

/** A host where some addresses answer. */
function setUp(answers: Record<string, string | Error>, ips: Record<string, string[]> = {}) {
  const dialled: string[] = []
  const host = {
    dial: async (address: string) => {
      dialled.push(address)
      const answer = answers[address] ?? new FloodgateError('DIAL', 'nobody there')
      if (answer instanceof Error) throw answer
      return answer
    },
  } as unknown as Host
  const resolver = new FakeResolver({ '_dnsaddr.x.example': ['dnsaddr=/ip4/60.9.0.1/tcp/5'] }, ips)
  const dial = (address: string) => dialNamed(address, { host, resolver }, new AbortController().signal)
  return { dial, dialled }
}

describe('an address with a name', () => {
  const ips = { 'a.example': ['2606:4700::1', '60.1.0.1', '60.2.0.1'] }

  it('is dialled at its IP addresses, one after the other', async () => {
    const { dial, dialled } = setUp({ '/ip4/60.2.0.1/tcp/9000': 'P' }, ips)
    assert.equal(await dial('/dns/a.example/tcp/9000'), 'P')
    assert.deepEqual(dialled, [
      '/ip6/2606:4700::1/tcp/9000',
      '/ip4/60.1.0.1/tcp/9000',
      '/ip4/60.2.0.1/tcp/9000',
    ])
  })

  it('is dialled at those of its kind, with its peer id', async () => {
    const { dial, dialled } = setUp({ [`/ip4/60.1.0.1/tcp/9000/p2p/${PEER}`]: PEER }, ips)
    assert.equal(await dial(`/dns4/a.example/tcp/9000/p2p/${PEER}`), PEER)
    assert.equal(dialled.length, 1)
  })

  it('may be a list in the DNS', async () => {
    const { dial } = setUp({ '/ip4/60.9.0.1/tcp/5': 'P' })
    assert.equal(await dial('/dnsaddr/x.example'), 'P')
  })

  it('is not tried elsewhere when somebody has answered, and was refused', async () => {
    const banned = new FloodgateError('DENIED', 'banned', { cause: { reason: 'banned', peer: 'P' } })
    const { dial, dialled } = setUp({ '/ip4/60.1.0.1/tcp/9000': banned }, ips)
    await assert.rejects(dial('/dns4/a.example/tcp/9000'), banned)
    assert.equal(dialled.length, 1)
  })

  it('fails as the last of its addresses, or because it has none', async () => {
    const { dial } = setUp({}, ips)
    await assert.rejects(dial('/dns4/a.example/tcp/9000'), { code: 'DIAL', message: 'nobody there' })
    await assert.rejects(dial('/dns4/b.example/tcp/9000'), { code: 'DIAL', message: /no address/ })
  })
})

it('an address without a name is dialled as it is, at once', () => {
  const { dial, dialled } = setUp({})
  dial('/ip4/60.1.0.1/tcp/9000').catch(() => {})
  assert.deepEqual(dialled, ['/ip4/60.1.0.1/tcp/9000'])
})
