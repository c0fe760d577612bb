import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import * as z from 'zod'
import {
  configJsonSchema,
  configKeys,
  configSections,
  keyName,
  parseKeyName,
  schemaAt,
} from '../../src/config/keys.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { configSchema } from '../../src/config/schema.ts'
import { renderTemplate } from '../../src/config/template.ts'

describe('keys', () => {
  it('are all that a complete configuration holds', () => {
    const complete = parseConfig({ dataDir: '/d', identityFile: '/k', bootstrapFile: '/b' })
    const names = Object.entries(complete).flatMap(([name, value]) => {
      const isSection = typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 0
      return isSection ? Object.keys(value).map(key => `${name}.${key}`) : [name]
    })
    assert.deepEqual(
      configKeys()
        .map(key => key.name)
        .toSorted(),
      names.toSorted(),
    )
  })

  it('each have a meaning, and each number has bounds', () => {
    for (const { name, schema } of configKeys()) {
      assert.match(schema.description ?? '', /^[A-Z`].*\.$/s, name)
      for (const part of [schema, ...(schema.anyOf ?? [])]) {
        if (part.type !== 'integer' && part.type !== 'number') continue
        assert.ok(part.minimum !== undefined && (part.maximum ?? part.exclusiveMaximum) !== undefined, name)
      }
    }
    for (const { name, schema } of configSections()) {
      if (name !== undefined) assert.match(schema.description ?? '', /^[A-Z].*\.$/, name)
    }
  })

  it('end in their unit when they speak of time or size', () => {
    for (const { name, schema } of configKeys()) {
      const description = schema.description ?? ''
      if (description.includes('in milliseconds')) assert.match(name, /Ms$/)
      if (name.endsWith('Ms')) assert.match(description, /in milliseconds/, name)
      if (/Bytes/.test(name)) assert.match(description, /bytes|payload size/, name)
    }
  })

  it('are found by path, in topics and lists as well', () => {
    assert.equal(schemaAt(['gossip', 'degree'])?.type, 'integer')
    assert.equal(schemaAt(['topics', 'any name', 'concurrency'])?.type, 'integer')
    assert.equal(schemaAt(['listen', 3])?.type, 'string')
    for (const path of [
      ['gossip', 'x'],
      ['constructor'],
      ['network', 'x'],
      ['listen', 'x'],
      ['a', 'b', 'c'],
    ]) {
      assert.equal(schemaAt(path), undefined, path.join())
    }
  })

  const names: [path: (string | number)[], name: string][] = [
    [[], 'configuration'],
    [['gossip', 'degree'], 'gossip.degree'],
    [['listen', 0], 'listen[0]'],
    [['topics', '/eth2/0a/block', 'mode'], 'topics./eth2/0a/block.mode'],
    [['topics', 'a.b', 'mode'], 'topics."a.b".mode'],
    [['topics', 'say "hi"\n'], 'topics."say \\"hi\\"\\n"'],
    [['log', 'components', 'libp2p:tcp'], 'log.components.libp2p:tcp'],
  ]
  for (const [path, name] of names) {
    it(`are written ${name}`, () => assert.equal(keyName(path), name))
  }

  it('are read as they are written, whatever the names', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 }), path => {
        assert.deepEqual(parseKeyName(keyName(path)), path)
      }),
    )
  })

  for (const text of ['', '.', 'a.', '.a', 'a..b', '"a', 'a"b"', 'a[0]', '"a"b', '"\\x"']) {
    it(`are not written ${text || 'empty'}`, () => assert.equal(parseKeyName(text), undefined))
  }
})

describe('the JSON Schema', () => {
  // zod reads the schema back from plain JSON, as an editor would, so what was lost in writing it is missing here.
  const editor = z.fromJSONSchema(JSON.parse(JSON.stringify(configJsonSchema())))

  it('is draft 7 and allows no unknown key', () => {
    const schema = configJsonSchema()
    assert.equal(schema.$schema, 'http://json-schema.org/draft-07/schema#')
    assert.equal(schema.additionalProperties, false)
    for (const { name } of configSections()) {
      if (name !== undefined) assert.equal(schemaAt([name])?.additionalProperties, false, name)
    }
  })

  for (const preset of ['wan', 'lan', 'local'] as const) {
    it(`accepts the commented file of ${preset}, as it is and with all settings`, () => {
      const text = renderTemplate({ preset })
      assert.deepEqual(editor.safeParse(parse(text)).error?.issues, undefined)
      assert.deepEqual(editor.safeParse(parse(text.replace(/^( *)#(?=\w)/gm, '$1'))).error?.issues, undefined)
    })
  }

  const inputs: [id: string, input: unknown][] = [
    ['nothing', {}],
    ['an unknown key', { nope: 1 }],
    ['an unknown key in a section', { gossip: { nope: 1 } }],
    ['an unknown key in a topic', { topics: { tx: { nope: 1 } } }],
    ['a topic', { topics: { tx: { maxPayloadBytes: 4_193_280 } } }],
    ['a payload that is too large', { topics: { tx: { maxPayloadBytes: 4_193_281 } } }],
    ['a fraction', { gossip: { degree: 1.5 } }],
    ['a network in capitals', { network: 'Demo' }],
    ['an address without a slash', { listen: ['1.2.3.4'] }],
    ['a score line of 0', { score: { dropBelow: 0 } }],
    ['no score line', { score: { dropBelow: null } }],
    ['a level that is none', { log: { components: { a: 'loud' } } }],
    ['no list', { listen: '/ip4/1.2.3.4/tcp/1' }],
  ]
  for (const [id, input] of inputs) {
    it(`and the parser agree on ${id}`, () => {
      assert.equal(editor.safeParse(input).success, configSchema.safeParse(input).success)
    })
  }
})
