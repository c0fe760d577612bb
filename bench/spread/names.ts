/**
 * The variants by name, apart from their code, so that listing them loads no libp2p.
 * - `flood`, `ask`, `swarm`, `auto`: our node with its defaults, and a topic of this mode.
 * - `bare`: js libp2p and gossipsub as they come: no option but the transport, the encryption and the muxer.
 */
export const MODES = ['flood', 'ask', 'swarm', 'auto'] as const

export type OurVariant = (typeof MODES)[number]

export type VariantName = OurVariant | 'bare'

export const VARIANT_NAMES: readonly VariantName[] = [...MODES, 'bare']

/** What runs when nobody says otherwise; `auto` is always one of the others. */
export const DEFAULT_VARIANTS: readonly VariantName[] = ['flood', 'ask', 'swarm', 'bare']

export function isOurs(name: VariantName): name is OurVariant {
  return name !== 'bare'
}
