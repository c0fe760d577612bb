/**
 * What both sides of the transactions benchmark know; the variants by name, apart from their code, so that listing them
 * loads no libp2p.
 * - `ask`: our node, its topic in mode `ask`: ids are announced, and asked for.
 * - `flood`: our node, its topic in mode `flood`.
 * - `tuned`: bare libp2p and gossipsub, with unsigned messages and content ids, which are the fast ids too.
 * - `defaults`: bare, with signed messages and all else as the library has it.
 */
export const VARIANT_NAMES = ['ask', 'flood', 'tuned', 'defaults'] as const

export type VariantName = (typeof VARIANT_NAMES)[number]

export function isVariantName(name: string): name is VariantName {
  return VARIANT_NAMES.some(known => known === name)
}

/** Each payload begins with the number of its node and its own, which make it a message of its own. */
export const STAMP_BYTES = 8
