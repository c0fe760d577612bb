import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeLine, encodeLine, type Line } from '../../../src/cli/cluster/protocol.ts'

describe('a line of the talk between cluster and node', () => {
  const lines: Line[] = [
    { ref: 1, do: 'connect', with: { addresses: ['/ip4/127.0.0.1/tcp/1'] } },
    { ref: 2, answer: null },
    { ref: 3, error: 'two\nlines' },
  ]
  for (const line of lines) {
    it(`comes back: ${JSON.stringify(line)}`, () => {
      const encoded = encodeLine(line)
      assert.equal(encoded.indexOf('\n'), encoded.length - 1)
      assert.deepEqual(decodeLine(Buffer.from(encoded.trimEnd())), line)
    })
  }

  for (const noise of [
    '',
    'WARNING: no colour',
    '{',
    '{}',
    '[]',
    'null',
    '{"ref":1}',
    '{"level":40,"msg":"x"}',
    '"{"',
  ]) {
    it(`is not ${JSON.stringify(noise)}`, () => assert.equal(decodeLine(Buffer.from(noise)), undefined))
  }
})
