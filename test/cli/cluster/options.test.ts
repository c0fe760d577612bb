import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ClusterOptions, checkOptions } from '../../../src/cli/cluster/options.ts'
import { FloodgateError } from '../../../src/core/errors.ts'

describe('checkOptions', () => {
  const cases: [string, Partial<ClusterOptions>, RegExp | undefined][] = [
    ['nothing', {}, undefined],
    ['generated traffic', { rate: 1, size: 300, reject: 0.5 }, undefined],
    ['a feed with its own gate, spoilt', { feed: 'x', handler: 'y', corrupt: 3, lines: true }, undefined],
    ['generated traffic for another gate', { handler: 'y', rate: 1 }, undefined],
    ['a feed with a rate', { feed: 'x', rate: 1 }, /--rate is for generated messages/],
    ['a feed with a size', { feed: 'x', size: 100 }, /--size is for generated messages/],
    [
      'a feed with a share of spoilt messages',
      { feed: 'x', reject: 0 },
      /--reject is for generated messages/,
    ],
    ['lines of nothing', { lines: true }, /--lines needs --feed/],
    ['spoilt copies of nothing', { corrupt: 1 }, /--corrupt needs --feed/],
    ['spoilt copies without a gate', { feed: 'x', corrupt: 1 }, /--corrupt needs --handler/],
    ['checksums for a gate that has none', { handler: 'y', reject: 0.1 }, /--reject spoils a checksum/],
  ]
  for (const [id, options, message] of cases) {
    it(id, () => {
      const check = (): void => checkOptions({ nodes: 5, seed: '1', ...options })
      if (message === undefined) check()
      else
        assert.throws(
          check,
          error => error instanceof FloodgateError && error.code === 'CONFIG' && message.test(error.message),
        )
    })
  }
})
