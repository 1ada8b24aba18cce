import { z } from 'zod'
import { MemberName, OrgId } from '../../../contract/index.ts'

/** A user's name for ever, and the member's name in logins `organisation:name`. */
export const Username = MemberName
export { OrgId }
export const Id = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'letters, digits and hyphens, 1 to 64')
/** `GW-1/tilt-1`: a device by its gateway and its name there. */
export const DevicePath = z.string().regex(/^[A-Za-z0-9-]{1,64}\/[a-z0-9-]{1,64}$/, 'GATEWAY/DEVICE')
export const SensorPath = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}(\/[a-z0-9-]{1,64}){2}$/, 'GATEWAY/DEVICE/SENSOR')
/** Epoch ms, as policies say it too. */
export const Instant = z.int().min(0)
/** A name to show: any script, no control characters, not only spaces. */
export const Title = z
  .string()
  .trim()
  .min(1)
  .max(128)
  .regex(/^\P{Cc}*$/u, 'no control characters')
export const Description = z
  .string()
  .max(2_000)
  .regex(/^[\P{Cc}\n]*$/u, 'no control characters')
export const LogoUrl = z.union([z.literal(''), z.url({ protocol: /^https$/ }).max(500)])
export const Email = z.email().max(254)
/** Long enough that guessing online is hopeless; no rules on characters (NIST SP 800-63B, 3.1.1). */
export const Password = z.string().min(10).max(256)
export const Timezone = z
  .string()
  .max(64)
  .refine((name) => isTimezone(name), 'an IANA time zone, e.g. Europe/Zurich')
/** The secret in a mail or a key: 256 random bits, base64url. */
export const Secret = z.string().regex(/^[A-Za-z0-9_-]{43}$/, '43 characters of a mail or a key')
export const TokenScope = z.enum(['full', 'read', 'write'])
export type TokenScope = z.infer<typeof TokenScope>
/** Limits by service. */
export const Quotas = z
  .record(z.string().regex(/^[a-z][a-z0-9_.-]{0,63}$/), z.int().min(0))
  .refine((quotas) => Object.keys(quotas).length <= QUOTAS_MAX, 'too many services')
export type Quotas = z.infer<typeof Quotas>
const QUOTAS_MAX = 64

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}
