/**
 * A reader of Prometheus' text format, version 0.0.4, as strict as the format: it throws on a sample without its
 * HELP and TYPE, on a family or sample that comes twice, and on what is no line of the format.
 */
import assert from 'node:assert/strict'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: Sample[]
}

const SUFFIXES: Record<string, readonly string[]> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|[+-]?[0-9.]+(?:e[+-]?\d+)?)$/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/

export function parseMetrics(text: string): Map<string, Family> {
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let help: { name: string; text: string } | undefined
  let family: Family | undefined
  for (const line of text.split('\n')) {
    if (line === '') continue
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment
      if (kind === 'HELP') help = { name, text: rest }
      else family = open(families, name, rest, help)
      continue
    }
    const sample = parseSample(line)
    assert.ok(family !== undefined && belongs(sample, family), `a sample without its HELP and TYPE: ${line}`)
    const identity = line.slice(0, line.lastIndexOf(' '))
    assert.ok(!seen.has(identity), `a sample that comes twice: ${line}`)
    seen.add(identity)
    family.samples.push(sample)
  }
  return families
}

/** The sum of a family's samples whose labels include the given ones; 0 when there is none. */
export function sumOf(text: string, name: string, labels: Record<string, string> = {}): number {
  const family = parseMetrics(text).get(name)
  assert.ok(family !== undefined, `there is no metric ${name}`)
  return family.samples
    .filter(sample => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, sample) => sum + sample.value, 0)
}

function open(
  families: Map<string, Family>,
  name: string,
  type: string,
  help?: { name: string; text: string },
): Family {
  assert.ok(help?.name === name, `a TYPE without its HELP: ${name}`)
  assert.ok(Object.hasOwn(SUFFIXES, type), `an unknown TYPE: ${name} ${type}`)
  assert.ok(!families.has(name), `a family that comes twice: ${name}`)
  const family = { name, help: help.text, type, samples: [] }
  families.set(name, family)
  return family
}

function belongs(sample: Sample, family: Family): boolean {
  return (SUFFIXES[family.type] ?? []).some(suffix => sample.name === family.name + suffix)
}

function parseSample(line: string): Sample {
  const match = SAMPLE.exec(line)
  assert.ok(match !== null, `no line of the format: ${line}`)
  const [, name = '', labels = '', value = ''] = match
  return { name, labels: parseLabels(labels, line), value: Number(value.replace('Inf', 'Infinity')) }
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let rest = text; rest !== ''; ) {
    const match = LABEL.exec(rest)
    assert.ok(match !== null, `labels that cannot be read: ${line}`)
    labels[match[1] ?? ''] = match[2] ?? ''
    rest = rest.slice(match[0].length)
  }
  return labels
}
