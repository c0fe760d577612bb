/**
 * What a ban is for: an IP address, a CIDR range or a peer id, as text in one canonical form, so that it can be a key.
 *
 * - An address in a range counts with its host bits zeroed, `203.0.113.7/24` as `203.0.113.0/24`; a range of one address
 *   is that address.
 * - IPv4 mapped into IPv6 is taken out, as everywhere (`core/endpoint.ts`): `::ffff:203.0.113.0/120` is
 *   `203.0.113.0/24`. A range of IPv6 addresses never holds an IPv4 one.
 * - A peer id is base58btc as libp2p prints it, or a CIDv1 in base32 (`bafz…`), which becomes base58btc. It is checked
 *   down to its multihash (libp2p specs, `peer-ids`), but not whether its key is a point on a curve.
 */
import ipaddr from 'ipaddr.js'
import { fromString } from 'uint8arrays/from-string'
import { toString as asText } from 'uint8arrays/to-string'
import { canonicalIp } from '../core/endpoint.ts'
import type { PeerId } from '../core/types.ts'

/** The 4 or 16 bytes of an IP address, one latin-1 character a byte: cheap to cut and to look up. */
export type AddressBytes = string

export type BanTarget =
  | { readonly kind: 'peer'; readonly text: PeerId }
  | {
      readonly kind: 'ip' | 'cidr'
      readonly text: string
      readonly address: AddressBytes
      /** How many bits from the left all addresses have in common: all of them for kind `ip`. */
      readonly bits: number
    }

/** No target is longer: the longest, a CIDv1 of an identity multihash, has 68 characters. */
export const TARGET_MAX_CHARS = 100

/** Undefined for text that is none of the three. */
export function parseTarget(text: string): BanTarget | undefined {
  if (text.length > TARGET_MAX_CHARS) return undefined
  const [ip = '', bits, ...rest] = text.split('/')
  if (rest.length > 0) return undefined
  const address = addressBytes(ip)
  if (address !== undefined) return rangeOf(ip, address, bits)
  const peer = bits === undefined ? canonicalPeer(text) : undefined
  return peer === undefined ? undefined : { kind: 'peer', text: peer }
}

/** Undefined for text that is no IP address. */
export function addressBytes(ip: string): AddressBytes | undefined {
  const canonical = canonicalIp(ip)
  if (canonical === undefined) return undefined
  return String.fromCharCode(...ipaddr.parse(canonical).toByteArray())
}

/** The first `bits` of an address, and no more bytes than these take; the last one is filled up with zeros. */
export function prefixOf(address: AddressBytes, bits: number): string {
  const whole = bits >> 3
  const over = bits & 7
  const prefix = address.slice(0, whole)
  return over === 0 ? prefix : prefix + String.fromCharCode(address.charCodeAt(whole) & (0xff00 >> over))
}

function rangeOf(ip: string, address: AddressBytes, bitsText: string | undefined): BanTarget | undefined {
  const most = address.length * 8
  const isMapped = ip.includes(':') && most === 32
  if (bitsText !== undefined && !/^(0|[1-9][0-9]{0,2})$/.test(bitsText)) return undefined
  const bits = bitsText === undefined ? most : Number(bitsText) - (isMapped ? 96 : 0)
  if (bits < 0 || bits > most) return undefined
  const first = prefixOf(address, bits).padEnd(address.length, '\0')
  const text = ipaddr.fromByteArray(Array.from(first, char => char.charCodeAt(0))).toString()
  return bits === most
    ? { kind: 'ip', text, address: first, bits }
    : { kind: 'cidr', text: `${text}/${bits}`, address: first, bits }
}

/** The peer id in base58btc; undefined for what is none. */
function canonicalPeer(text: string): PeerId | undefined {
  try {
    const multihash = text.startsWith('b')
      ? libp2pKey(fromString(text.slice(1), 'base32'))
      : fromString(text, 'base58btc')
    return multihash !== undefined && isPeerHash(multihash) ? asText(multihash, 'base58btc') : undefined
  } catch {
    // Characters outside the alphabet.
    return undefined
  }
}

/** The multihash of a CID with version 1 and codec `libp2p-key` (0x72). */
function libp2pKey(cid: Uint8Array): Uint8Array | undefined {
  return cid[0] === 1 && cid[1] === 0x72 ? cid.subarray(2) : undefined
}

/** Either SHA2-256 of a public key, or the key itself: at most 42 bytes of protobuf with a type and the key's bytes. */
function isPeerHash(multihash: Uint8Array): boolean {
  const [code, length = 0, typeTag, , keyTag, keyLength] = multihash
  if (multihash.length !== length + 2) return false
  if (code === 0x12) return length === 32
  return code === 0 && length <= 42 && typeTag === 0x08 && keyTag === 0x12 && keyLength === length - 4
}
