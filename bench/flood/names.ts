/**
 * The variants by name, apart from their code, so that listing them loads no libp2p.
 * - `defaults`: bare libp2p and gossipsub with their defaults: signed messages, stock TCP and Noise.
 * - `tuned`: bare, with unsigned messages and content ids, which are the fast ids too.
 * - `batched`: as `tuned`, with our TCP and our Noise.
 * - `floodgate`: our node.
 */
export const VARIANT_NAMES = ['defaults', 'tuned', 'batched', 'floodgate'] as const

export type VariantName = (typeof VARIANT_NAMES)[number]

export function isVariantName(name: string): name is VariantName {
  return VARIANT_NAMES.some(known => known === name)
}
