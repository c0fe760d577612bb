/**
 * Numbers that the parts of the configuration's schema share.
 */
import * as z from 'zod'

export const DAY_MS = 86_400_000

/** A whole number within bounds. */
export const whole = (min: number, max: number) => z.int().min(min).max(max)
