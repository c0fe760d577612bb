import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { table } from '../../src/cli/table.ts'

describe('table', () => {
  const cases = [
    {
      id: 'numbers to the right, text to the left',
      titles: ['name', 'count'],
      rows: [
        ['a', 1],
        ['long name', 12_345],
      ],
      expected: ['name       count', 'a              1', 'long name  12345'],
    },
    {
      id: 'numbers with units and dashes are numbers',
      titles: ['node', 'sent'],
      rows: [
        [1, '9.99 MB'],
        [10, '–'],
      ],
      expected: ['node     sent', '   1  9.99 MB', '  10        –'],
    },
    {
      id: 'one word makes a column text',
      titles: ['a', 'b'],
      rows: [
        ['12', 1],
        ['x', 2],
      ],
      expected: ['a   b', '12  1', 'x   2'],
    },
    { id: 'no rows', titles: ['left', 'also left'], rows: [], expected: ['left  also left'] },
    {
      id: 'a short row is filled',
      titles: ['a', 'b'],
      rows: [['x'], ['y', 'z']],
      expected: ['a  b', 'x', 'y  z'],
    },
  ]
  for (const { id, titles, rows, expected } of cases) {
    it(id, () => assert.deepEqual(table(titles, rows).split('\n'), expected))
  }

  it('ends the cells of a numeric column in one place, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 20 }), rows => {
        const lines = table(['first', 'second'], rows).split('\n')
        assert.equal(lines.length, rows.length + 1)
        assert.equal(new Set(lines.map(line => line.length)).size, 1)
        for (const [index, row] of rows.entries()) {
          assert.deepEqual(lines[index + 1]?.trim().split(/ +/).map(Number), row)
        }
      }),
    )
  })
})
