import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { MessageStream, MultiaddrConnection, PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { streamNoise } from '../../src/io/noise.ts'
import { openNoise } from '../../src/sim/encrypter.ts'
import { silentLogger } from '../io/tcp-pair.ts'

const SIZES = [1, 100, 1_000, 65_519, 200_000]

/** Counts what a connection sends. */
function counted(connection: MultiaddrConnection): { bytes: number } {
  const count = { bytes: 0 }
  const inside = connection as MultiaddrConnection & { sendData(data: { byteLength: number }): unknown }
  const sendData = inside.sendData.bind(inside)
  inside.sendData = data => {
    count.bytes += data.byteLength
    return sendData(data)
  }
  return count
}

async function received(stream: MessageStream, sizeBytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let bytes = 0
  return await new Promise(resolve => {
    stream.addEventListener('message', event => {
      parts.push(event.data.subarray())
      bytes += event.data.byteLength
      if (bytes >= sizeBytes) resolve(Buffer.concat(parts))
    })
  })
}

/** Handshakes, sends a message of each size, and tells how many bytes went each way after each step. */
async function wireBytes(
  encrypter: typeof streamNoise,
  keys: readonly [PrivateKey, PrivateKey],
): Promise<number[][]> {
  const pair = multiaddrConnectionPair()
  const counts = pair.map(counted)
  const upgrader = { getStreamMuxers: () => new Map([['/yamux/1.0.0', {}]]) }
  const [a, b] = keys.map(privateKey =>
    encrypter()({
      privateKey,
      upgrader,
      logger: silentLogger,
      peerId: peerIdFromPrivateKey(privateKey),
    } as never),
  )
  assert.ok(a !== undefined && b !== undefined)
  const [outbound, inbound] = await Promise.all([a.secureOutbound(pair[0]), b.secureInbound(pair[1])])
  assert.ok(outbound.remotePeer.equals(peerIdFromPrivateKey(keys[1])))
  assert.ok(inbound.remotePeer.equals(peerIdFromPrivateKey(keys[0])))
  const steps = [counts.map(count => count.bytes)]
  for (const sizeBytes of SIZES) {
    const payload = Buffer.alloc(sizeBytes, sizeBytes % 251)
    const there = received(inbound.connection, sizeBytes)
    outbound.connection.send(payload)
    assert.ok((await there).equals(payload))
    steps.push(counts.map(count => count.bytes))
  }
  return steps
}

describe('openNoise', () => {
  it('sends as many bytes as Noise in every step, tells the same peers, and carries the same data', async () => {
    const keys = [await generateKeyPair('Ed25519'), await generateKeyPair('Ed25519')] as const
    assert.deepEqual(await wireBytes(openNoise, keys), await wireBytes(streamNoise, keys))
  })

  it('still refuses a peer that is not the one that was dialled', async () => {
    const [key, other, third] = await Promise.all(Array.from({ length: 3 }, () => generateKeyPair('Ed25519')))
    assert.ok(key !== undefined && other !== undefined && third !== undefined)
    const pair = multiaddrConnectionPair()
    const [a, b] = [key, other].map(privateKey =>
      openNoise()({
        privateKey,
        upgrader: { getStreamMuxers: () => new Map() },
        logger: silentLogger,
      } as never),
    )
    assert.ok(a !== undefined && b !== undefined)
    const remotePeer = peerIdFromPrivateKey(third)
    const inbound = b.secureInbound(pair[1], { signal: AbortSignal.timeout(5_000) } as never)
    inbound.catch(() => {})
    await assert.rejects(a.secureOutbound(pair[0], { remotePeer } as never), { name: 'UnexpectedPeerError' })
    pair[0].abort(new Error('the test is over'))
  })
})
