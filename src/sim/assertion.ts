/**
 * Assertions of a scenario: `coverage(blocks) >= 0.999`, `p99 <= 6s`, `outbound(n17) >= 2`.
 *
 *   assertion = measure [ "(" name { "," name } ")" ] relation value
 *   relation  = ">=" | "<=" | ">" | "<" | "=="
 *
 * What the names in parentheses may be (a topic, a phase, a node) depends on the measure, and is checked by
 * `scenario.ts`, which knows them. A measure has a unit, and a value of another unit is a mistake.
 */
import { formatBytes, formatMs, parseDuration, parseSize } from '../cli/cluster/units.ts'

type Unit = 'plain' | 'time' | 'bytes'

/** What its names choose: messages by topic and phase, everything by phase alone, a node, or nothing. */
type Scope = 'messages' | 'phase' | 'node' | 'run'

/** Every measure, with its unit and what it can be asked of. */
export const MEASURES = {
  coverage: { unit: 'plain', scope: 'messages' },
  p50: { unit: 'time', scope: 'messages' },
  p90: { unit: 'time', scope: 'messages' },
  p99: { unit: 'time', scope: 'messages' },
  max: { unit: 'time', scope: 'messages' },
  messages: { unit: 'plain', scope: 'messages' },
  diameter: { unit: 'plain', scope: 'messages' },
  meanHops: { unit: 'plain', scope: 'messages' },
  copies: { unit: 'plain', scope: 'phase' },
  bytesPerNode: { unit: 'bytes', scope: 'phase' },
  connections: { unit: 'plain', scope: 'phase' },
  attackerLinks: { unit: 'plain', scope: 'phase' },
  outbound: { unit: 'plain', scope: 'node' },
  outboundAttackers: { unit: 'plain', scope: 'node' },
  inboundAttackers: { unit: 'plain', scope: 'node' },
  mergedAfterHeal: { unit: 'time', scope: 'run' },
} as const satisfies Record<string, { unit: Unit; scope: Scope }>

export type Measure = keyof typeof MEASURES

const RELATIONS = {
  '>=': (a: number, b: number) => a >= b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '<': (a: number, b: number) => a < b,
  '==': (a: number, b: number) => a === b,
}

type Relation = keyof typeof RELATIONS

export interface Assertion {
  readonly measure: Measure
  readonly names: readonly string[]
  readonly relation: Relation
  /** Milliseconds or bytes where the measure has that unit. */
  readonly bound: number
}

const FORM = /^\s*(\w+)\s*(?:\(([^()]*)\))?\s*(>=|<=|==|>|<)\s*(\S.*?)\s*$/

/** @returns the assertion, or what is wrong with the text */
export function parseAssertion(text: string): Assertion | string {
  const [, measure = '', inside, relation = '', value = ''] = FORM.exec(text) ?? []
  if (measure === '') return 'is no assertion, expected one such as coverage(blocks) >= 0.999'
  if (!isMeasure(measure)) {
    return `has no measure called ${measure}, expected one of ${Object.keys(MEASURES).join(', ')}`
  }
  const names = inside === undefined ? [] : inside.split(',').map(part => part.trim())
  if (names.includes('')) return 'has an empty name in its parentheses'
  const bound = boundOf(MEASURES[measure].unit, value)
  if (bound === undefined) return `compares with ${value}, expected ${EXPECTED[MEASURES[measure].unit]}`
  return { measure, names, relation: relation as Relation, bound }
}

const EXPECTED: Record<Unit, string> = {
  plain: 'a number such as 0.999 or 99.9%',
  time: 'a duration such as 500ms or 2s',
  bytes: 'a size such as 300 or 64kB',
}

function isMeasure(text: string): text is Measure {
  return Object.hasOwn(MEASURES, text)
}

function boundOf(unit: Unit, text: string): number | undefined {
  if (unit === 'time') return parseDuration(text)
  if (unit === 'bytes') return parseSize(text)
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits) / (percent === '%' ? 100 : 1)
}

/** The text that parses to it. */
export function assertionText({ measure, names, relation, bound }: Assertion): string {
  const inside = names.length === 0 ? '' : `(${names.join(', ')})`
  const suffix = MEASURES[measure].unit === 'time' ? 'ms' : ''
  return `${measure}${inside} ${relation} ${bound}${suffix}`
}

/** @param value undefined, when there was nothing to measure, holds nothing */
export function holds({ relation, bound }: Assertion, value: number | undefined): boolean {
  return value !== undefined && RELATIONS[relation](value, bound)
}

/** A value of a measure for people. */
export function shownValue(measure: Measure, value: number | null | undefined): string {
  if (value === undefined || value === null) return 'nothing'
  const { unit } = MEASURES[measure]
  if (value === Number.POSITIVE_INFINITY) return 'never'
  if (unit === 'time') return formatMs(value)
  return unit === 'bytes' ? formatBytes(value) : String(Math.round(value * 1e6) / 1e6)
}
