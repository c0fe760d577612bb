import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { printable } from '../../src/cli/printable.ts'

describe('a text from elsewhere', () => {
  it('has nothing in it that a terminal would obey', () => {
    fc.assert(
      fc.property(fc.uint16Array({ maxLength: 50 }), units => {
        assert.doesNotMatch(printable(String.fromCharCode(...units)), /[\p{C}\p{Zl}\p{Zp}]/u)
      }),
    )
    assert.equal(printable('go-libp2p/0.40 ü 漢 😀'), 'go-libp2p/0.40 ü 漢 😀')
    assert.equal(printable('a\tb\u2028\ud800'), 'a\\u{9}b\\u{2028}\\u{d800}')
  })
})
