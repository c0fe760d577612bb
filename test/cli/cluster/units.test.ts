import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  digits3,
  formatBytes,
  formatElapsed,
  formatMs,
  parseCount,
  parseDuration,
  parseFraction,
  parseSize,
} from '../../../src/cli/cluster/units.ts'

describe('what people write', () => {
  const cases: [(text: string) => number | undefined, string, number | undefined][] = [
    [parseSize, '300', 300],
    [parseSize, '1kB', 1_000],
    [parseSize, '64KiB', 65_536],
    [parseSize, '1MB', 1_000_000],
    [parseSize, '1.5 mb', 1_500_000],
    [parseSize, '2GiB', 2_147_483_648],
    [parseSize, '12B', 12],
    [parseSize, '', undefined],
    [parseSize, '-1', undefined],
    [parseSize, '1k', undefined],
    [parseSize, '1e3', undefined],
    [parseSize, 'toString', undefined],
    [parseSize, '1constructor', undefined],
    [parseDuration, '15s', 15_000],
    [parseDuration, '2m', 120_000],
    [parseDuration, '500ms', 500],
    [parseDuration, '1.5s', 1_500],
    [parseDuration, '1h', 3_600_000],
    [parseDuration, '15', undefined],
    [parseDuration, 's', undefined],
    [parseDuration, '-2s', undefined],
    [parseFraction, '0.1', 0.1],
    [parseFraction, '.5', 0.5],
    [parseFraction, '10%', 0.1],
    [parseFraction, '0', 0],
    [parseFraction, '1', 1],
    [parseFraction, '1.1', undefined],
    [parseFraction, '101%', undefined],
    [parseFraction, '', undefined],
    [parseCount, '0', 0],
    [parseCount, '20', 20],
    [parseCount, '2.5', undefined],
    [parseCount, '', undefined],
    [parseCount, '-1', undefined],
    [parseCount, '1e3', undefined],
  ]
  for (const [parse, text, expected] of cases) {
    it(`${parse.name} ${JSON.stringify(text)}`, () => assert.equal(parse(text), expected))
  }
})

describe('what people read', () => {
  const cases: [(value: number) => string, number, string][] = [
    [formatBytes, 0, '0 B'],
    [formatBytes, 999, '999 B'],
    [formatBytes, 1_000, '1.00 kB'],
    [formatBytes, 5_213_000, '5.21 MB'],
    [formatBytes, 999_949, '1.00 MB'],
    [formatBytes, 123_456_789, '123 MB'],
    [formatBytes, 7.2e15, '7200 TB'],
    [formatMs, 0.416, '0.42 ms'],
    [formatMs, 12.34, '12.3 ms'],
    [formatMs, 999.4, '999 ms'],
    [formatMs, 999.9, '1.00 s'],
    [formatMs, 12_340, '12.3 s'],
    [digits3, 9.996, '10.0'],
    [digits3, 99.96, '100'],
    [formatElapsed, 7_900, '7 s'],
    [formatElapsed, 125_000, '2 min 05 s'],
    [formatElapsed, 3_720_000, '1 h 02 min'],
  ]
  for (const [format, value, expected] of cases) {
    it(`${format.name} ${value}`, () => assert.equal(format(value), expected))
  }
})
