import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { splitWords, wordsFor } from '../../../src/cli/cluster/words.ts'

describe('splitWords', () => {
  const cases: [string, string[] | undefined][] = [
    ['ip netns exec fg{i}', ['ip', 'netns', 'exec', 'fg{i}']],
    ['  docker   exec\t-i c ', ['docker', 'exec', '-i', 'c']],
    ['', []],
    ["'my program' -x", ['my program', '-x']],
    ['a "b c"d e', ['a', 'b cd', 'e']],
    ["''", ['']],
    ['""x', ['x']],
    ['a\\ b', ['a b']],
    ['"a\\"b"', ['a"b']],
    ['"a\\\\b"', ['a\\b']],
    ['"a\\nb"', ['a\\nb']],
    ["'a\\'", ['a\\']],
    ['$HOME;rm *|x', ['$HOME;rm', '*|x']],
    ["'open", undefined],
    ['"open', undefined],
    ['end\\', undefined],
  ]
  for (const [line, expected] of cases) {
    it(JSON.stringify(line), () => assert.deepEqual(splitWords(line), expected))
  }

  it('gives back any words that were quoted', () => {
    const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), words => {
        assert.deepEqual(splitWords(words.map(quote).join(' ')), words)
      }),
    )
  })
})

describe('wordsFor', () => {
  it('puts the number into every place', () => {
    assert.deepEqual(wordsFor(['ssh', 'h{i}', '--id={i}-{i}', '{j}'], 3), ['ssh', 'h3', '--id=3-3', '{j}'])
  })
})
