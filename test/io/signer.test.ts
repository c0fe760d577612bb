import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { temporaryIdentity } from '../../src/io/identity.ts'
import { signerOf } from '../../src/io/signer.ts'

const BYTES = Uint8Array.of(1, 2, 3)

const identity = await temporaryIdentity()
const signer = signerOf(identity)
const signature = await signer.sign(BYTES)
const other = signerOf(await temporaryIdentity())

describe('a signature', () => {
  test('is right for who made it and what was signed, and anybody can tell', async () => {
    assert.equal(signer.peer, identity.peer)
    assert.equal(await signer.verify(identity.peer, BYTES, signature), true)
    assert.equal(await other.verify(identity.peer, BYTES, signature), true)
  })

  test('of nothing is right, too', async () => {
    const none = new Uint8Array(0)
    assert.equal(await other.verify(identity.peer, none, await signer.sign(none)), true)
  })

  const changed = Uint8Array.from(signature)
  changed[0] = (changed[0] ?? 0) ^ 1
  const wrong: [id: string, peer: string, bytes: Uint8Array, signature: Uint8Array][] = [
    ['for another peer', other.peer, BYTES, signature],
    ['for other bytes', identity.peer, Uint8Array.of(1, 2, 4), signature],
    ['for fewer bytes', identity.peer, BYTES.subarray(1), signature],
    ['when a bit has changed', identity.peer, BYTES, changed],
    ['when it is cut short', identity.peer, BYTES, signature.subarray(1)],
    ['when it is longer', identity.peer, BYTES, Buffer.concat([signature, Buffer.alloc(1)])],
    ['when it is empty', identity.peer, BYTES, new Uint8Array(0)],
    ['for what is no peer id', 'nobody', BYTES, signature],
    ['for an empty peer id', '', BYTES, signature],
    ['for a text with the key in another form', ` ${identity.peer}`, BYTES, signature],
  ]
  for (const [id, peer, bytes, made] of wrong) {
    test(`is wrong ${id}`, async () => assert.equal(await signer.verify(peer, bytes, made), false))
  }

  test('is wrong for an id that is the hash of a key, which cannot be verified from itself', async () => {
    const privateKey = await generateKeyPair('RSA', 1_024)
    const peer = peerIdFromPrivateKey(privateKey).toString()
    const made = await signerOf({ peer, privateKey }).sign(BYTES)
    assert.equal(await privateKey.publicKey.verify(BYTES, made), true)
    assert.equal(await signer.verify(peer, BYTES, made), false)
  })
})
