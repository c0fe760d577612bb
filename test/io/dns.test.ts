/**
 * The resolver against a real DNS server on loopback.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Resolver } from '../../src/core/ports.ts'
import { systemResolver } from '../../src/io/dns.ts'
import { within } from '../e2e/support/until.ts'
import { type DnsName, DnsServer } from '../fixtures/dns-server.ts'

async function serving(
  t: TestContext,
  names: Record<string, DnsName>,
  options: { timeoutMs?: number; answersMax?: number } = {},
): Promise<{ server: DnsServer; resolver: Resolver }> {
  const server = await DnsServer.start(names)
  t.after(() => server.close())
  return { server, resolver: systemResolver({ servers: [server.address], timeoutMs: 2_000, ...options }) }
}

describe('txt', () => {
  test('gives the records, each joined to one text', async t => {
    const long = 'x'.repeat(700)
    const { resolver, server } = await serving(t, { 'seed.example': { txt: ['one', long, ''] } })
    assert.deepEqual(await resolver.txt('seed.example'), ['one', long, ''])
    assert.equal(server.asked[0]?.type, 'TXT')
  })

  test('an answer that does not fit a packet comes over TCP', async t => {
    const txt = Array.from({ length: 30 }, (_, i) => `${i}`.padStart(200, '0'))
    const { resolver, server } = await serving(t, { 'seed.example': { txt } })
    assert.deepEqual(await resolver.txt('seed.example'), txt)
    assert.deepEqual(
      server.asked.map(({ over }) => over),
      ['udp', 'tcp'],
    )
  })

  test('of thousands of records the first are taken', async t => {
    const txt = Array.from({ length: 2_000 }, (_, i) => `${i}`)
    const { resolver } = await serving(t, { 'seed.example': { txt } })
    assert.deepEqual(await resolver.txt('seed.example'), txt.slice(0, 32))
    const { resolver: narrow } = await serving(t, { 'seed.example': { txt } }, { answersMax: 3 })
    assert.deepEqual(await narrow.txt('seed.example'), ['0', '1', '2'])
  })

  test('a record over 1,024 bytes is left out', async t => {
    const [fits, tooLong] = ['x'.repeat(1_024), 'x'.repeat(1_025)]
    const { resolver } = await serving(t, { 'seed.example': { txt: [tooLong, fits] } })
    assert.deepEqual(await resolver.txt('seed.example'), [fits])
  })
})

describe('ips', () => {
  test('gives A and AAAA records, as many as allowed', async t => {
    const a = Array.from({ length: 40 }, (_, i) => `192.0.2.${i + 1}`)
    const { resolver } = await serving(t, {
      'both.example': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'] },
      'many.example': { a },
    })
    assert.deepEqual(await resolver.ips('both.example'), ['192.0.2.1', '2001:db8::1'])
    assert.equal((await resolver.ips('many.example')).length, 32)
  })

  test('one kind is enough when the other one fails', async t => {
    const { resolver } = await serving(
      t,
      {
        'four.example': { a: ['192.0.2.1'], behaviour: 'servfail', onlyFor: 'AAAA' },
        'six.example': { aaaa: ['2001:db8::1'], behaviour: 'silent', onlyFor: 'A' },
      },
      { timeoutMs: 300 },
    )
    assert.deepEqual(await resolver.ips('four.example'), ['192.0.2.1'])
    assert.deepEqual(await resolver.ips('six.example'), ['2001:db8::1'])
  })
})

describe('a name', () => {
  const kinds: { id: string; ask: (resolver: Resolver) => Promise<string[]> }[] = [
    { id: 'txt', ask: resolver => resolver.txt('seed.example') },
    { id: 'ips', ask: resolver => resolver.ips('seed.example') },
  ]
  for (const { id, ask } of kinds) {
    test(`${id}: that does not exist, or has no such records, is an empty answer`, async t => {
      const { resolver } = await serving(t, {})
      assert.deepEqual(await ask(resolver), [])
      const { resolver: other } = await serving(t, { 'seed.example': {} })
      assert.deepEqual(await ask(other), [])
    })

    const failures = [
      { behaviour: 'servfail', code: 'DIAL' },
      { behaviour: 'garbage', code: 'DIAL' },
      { behaviour: 'silent', code: 'TIMEOUT' },
    ] as const
    for (const { behaviour, code } of failures) {
      test(`${id}: whose server answers ${behaviour} is ${code}`, async t => {
        const { resolver, server } = await serving(t, { 'seed.example': { behaviour } }, { timeoutMs: 300 })
        await assert.rejects(ask(resolver), { name: 'FloodgateError', code, message: /seed\.example/ })
        assert.ok(server.asked.length > 0)
      })
    }
  }

  test('whose answer comes after the deadline is TIMEOUT, and the next question is not disturbed', async t => {
    const { resolver, server } = await serving(
      t,
      { 'slow.example': { txt: ['late'], behaviour: 'held' }, 'quick.example': { txt: ['here'] } },
      { timeoutMs: 300 },
    )
    await assert.rejects(resolver.txt('slow.example'), { code: 'TIMEOUT' })
    server.release()
    assert.deepEqual(await resolver.txt('quick.example'), ['here'])
  })

  test('has one deadline, whatever the number of servers that say nothing', async t => {
    const servers = await Promise.all(
      Array.from({ length: 8 }, () => DnsServer.start({ 'seed.example': { behaviour: 'silent' } })),
    )
    for (const server of servers) t.after(() => server.close())
    const resolver = systemResolver({ servers: servers.map(({ address }) => address), timeoutMs: 400 })
    // Without it two tries at each would take 5 s.
    const asking = assert.rejects(resolver.txt('seed.example'), { code: 'TIMEOUT' })
    await within('the question has ended', 2_500, asking)
  })

  test('whose answer comes within the deadline counts', async t => {
    const { resolver, server } = await serving(t, { 'held.example': { txt: ['here'], behaviour: 'held' } })
    const asking = resolver.txt('held.example')
    while (server.asked.length === 0) await new Promise(resolve => setImmediate(resolve))
    server.release()
    assert.deepEqual(await asking, ['here'])
  })

  test('of a server that is gone is an error', async t => {
    const { server, resolver } = await serving(t, {}, { timeoutMs: 300 })
    await server.close()
    await assert.rejects(resolver.txt('seed.example'), { name: 'FloodgateError' })
  })

  test('that is none is DIAL', async t => {
    const { resolver } = await serving(t, {})
    await assert.rejects(resolver.txt(`${'x'.repeat(64)}.example`), { code: 'DIAL' })
  })
})

test('a server that is no address is CONFIG', () => {
  assert.throws(() => systemResolver({ servers: ['dns.example'] }), {
    code: 'CONFIG',
    message: /dns\.example/,
  })
})
