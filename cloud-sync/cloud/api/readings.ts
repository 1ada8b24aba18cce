import { z } from 'zod'
import { ChannelName, DeviceId, GatewayId, SensorName, type Value } from '../../contract/index.ts'
import { CHANNELS_ASKED_MAX, type CloudDatabase, findChannels } from '../storage/index.ts'
import { type Place, type PlacedReading, readingsInOrder } from './in-order.ts'
import { ApiError, Instant } from './problem.ts'
import type { Sight } from './visible.ts'

const LIMIT_DEFAULT = 1_000
const LIMIT_MAX = 10_000

export const ReadingsQuery = z.strictObject({
  gateway: GatewayId.optional(),
  device: DeviceId.optional(),
  sensor: SensorName.optional(),
  channel: ChannelName.optional(),
  from: Instant.default(0),
  to: Instant.default(Number.MAX_SAFE_INTEGER),
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT),
  cursor: z
    .string()
    .regex(/^-?\d{1,16}\.\d{1,16}\.\d{1,9}$/, 'a cursor as it was given')
    .optional(),
  format: z.enum(['json', 'senml']).default('json'),
})
export type ReadingsQuery = z.infer<typeof ReadingsQuery>

export interface ReadingsPage {
  readonly items: readonly PlacedReading[]
  /** Ask again with it; null where there is nothing more now. */
  readonly next: string | null
}

/** One page of what the caller may see, in order of time. */
export async function pageOfReadings(
  { db, sight }: { db: CloudDatabase; sight: Sight },
  query: ReadingsQuery,
): Promise<ReadingsPage> {
  const { gateway, device, sensor, channel } = query
  const narrowed = Object.fromEntries(
    Object.entries({ gateway, device, sensor, channel }).filter(([, value]) => value !== undefined),
  )
  const found = await findChannels(db.read, { orgs: sight.owners, ...narrowed })
  const channels = found.filter((candidate) => sight.mayRead(candidate))
  if (channels.length > CHANNELS_ASKED_MAX) {
    throw new ApiError('API_REQUEST_INVALID', `${channels.length} channels; name a gateway or device`)
  }
  const after = query.cursor === undefined ? undefined : placeOf(query.cursor)
  const items: PlacedReading[] = []
  if (channels.length === 0) return { items, next: null }
  for await (const item of readingsInOrder(db.read, channels, { from: query.from, to: query.to, after })) {
    if (items.length === query.limit) return { items, next: cursorOf(items.at(-1)) }
    items.push(item)
  }
  return { items, next: null }
}

/** One reading as the API shows it; whole numbers beyond 2^53 are texts, because JSON readers round them. */
export function shown({ channel, reading }: PlacedReading) {
  const { device, sensor, channel: name, unit, org } = channel.def
  const { takenAt, value, quality, reason } = reading
  return {
    gateway: channel.gateway,
    organisation: org,
    device,
    sensor,
    channel: name,
    unit,
    takenAt,
    value: typeof value === 'bigint' ? value.toString() : value,
    quality,
    reason,
  }
}

/** One SenML record (RFC 8428): `t` in seconds, `q` = quality where it is not good. */
export function senml({ channel, reading }: PlacedReading): Readonly<Record<string, string | number>> {
  const { device, sensor, channel: name, unit } = channel.def
  const { takenAt, value, quality, reason } = reading
  return {
    n: `${channel.gateway}/${device}/${sensor}/${name}`,
    ...(unit === '' ? {} : { u: unit }),
    t: takenAt / 1000,
    ...senmlValue(value),
    ...(quality === 'good' ? {} : { q: reason === null ? quality : `${quality}:${reason}` }),
  }
}

function senmlValue(value: Value): Readonly<Record<string, string | number>> {
  if (value === null) return {}
  if (typeof value === 'number') return { v: value }
  return { vs: value.toString() }
}

const cursorOf = (place: Place | undefined): string | null =>
  place === undefined ? null : `${place.takenAt}.${place.chunk}.${place.index}`

function placeOf(cursor: string): Place {
  const [takenAt = 0, chunk = 0, index = 0] = cursor.split('.').map(Number)
  return { takenAt, chunk, index }
}
