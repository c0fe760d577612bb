/**
 * What a DNS seed may look like. `peers/dns-seeds.ts` asks it.
 */
const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const NAME = `(?:${LABEL}\\.)*${LABEL}\\.?`

/** A seed, taken apart: TXT records of `name`, or its A and AAAA records with a port. */
export type Seed =
  | { readonly kind: 'dnsaddr'; readonly name: string }
  | {
      readonly kind: 'name'
      readonly name: string
      readonly port: number
      readonly family: 4 | 6 | undefined
    }

/**
 * Reads `/dnsaddr/NAME`, `/dns/NAME/tcp/PORT`, `/dns4/…`, `/dns6/…` (with or without a peer id behind) or `NAME:PORT`.
 * Undefined for anything else.
 */
export function parseSeed(text: string): Seed | undefined {
  const lower = text.replace(/\/p2p\/[^/]+$/, '')
  const txt = new RegExp(`^/dnsaddr/(${NAME})$`, 'i').exec(lower)
  if (txt !== null) return { kind: 'dnsaddr', name: (txt[1] ?? '').toLowerCase() }
  const long = new RegExp(`^/dns([46]?)/(${NAME})/tcp/([0-9]{1,5})$`, 'i').exec(lower)
  const short = new RegExp(`^()(${NAME}):([0-9]{1,5})$`, 'i').exec(lower)
  const [, family = '', name = '', digits = ''] = long ?? short ?? []
  const port = Number(digits)
  // A name that is all numbers is an address without its last part.
  if (name === '' || /^[0-9.]+$/.test(name) || port < 1 || port > 65_535) return undefined
  return {
    kind: 'name',
    name: name.toLowerCase(),
    port,
    family: family === '' ? undefined : family === '4' ? 4 : 6,
  }
}

export function isSeed(text: string): boolean {
  return parseSeed(text) !== undefined
}
