import { z } from 'zod'
import { wholeNumber } from './arguments.ts'
import { type CloudLogin, cloudClient } from './cloud-client.ts'
import { type Answer, processTerminal, table } from './output.ts'

/** The cloud's own page size; a longer answer is fetched page by page. */
const PAGE_READINGS = 1_000
const READINGS = { least: 1, most: 1_000_000 }

const CloudReading = z.object({
  gateway: z.string(),
  organisation: z.string(),
  device: z.string(),
  sensor: z.string(),
  channel: z.string(),
  unit: z.string(),
  takenAt: z.number(),
  value: z.union([z.number(), z.string(), z.null()]),
  quality: z.string(),
  reason: z.string().nullable(),
})
const ReadingsPage = z.object({ readings: z.array(CloudReading), next: z.string().nullable() })

interface ReadingsOptions extends CloudLogin {
  readonly gateway?: string
  readonly device?: string
  readonly sensor?: string
  readonly channel?: string
  readonly from?: string
  readonly to?: string
  readonly cursor?: string
  readonly limit: string
}

const warn = (text: string): void => {
  processTerminal.err(`warning: ${text}\n`)
}

/** `headgate cloud readings`: what the key's owner may see, oldest first, page by page up to --limit. */
export async function cloudReadings(options: ReadingsOptions): Promise<Answer> {
  const limit = wholeNumber('--limit', options.limit, READINGS)
  const client = await cloudClient(options, warn)
  const { gateway, device, sensor, channel, from, to } = options
  const readings: z.infer<typeof CloudReading>[] = []
  let next = options.cursor ?? null
  do {
    const left = Math.min(PAGE_READINGS, limit - readings.length)
    const query = { gateway, device, sensor, channel, from, to, limit: String(left) }
    const page = await client.get('/v1/readings', { ...query, cursor: next ?? undefined }, ReadingsPage)
    readings.push(...page.readings)
    next = page.next
  } while (next !== null && readings.length < limit)
  const rows = readings.map((reading) => [
    new Date(reading.takenAt).toISOString(),
    `${reading.gateway}/${reading.device}/${reading.sensor}`,
    reading.organisation,
    reading.channel,
    reading.value === null ? '-' : String(reading.value),
    reading.unit,
    reading.reason === null ? reading.quality : `${reading.quality} (${reading.reason})`,
  ])
  const head = ['taken', 'sensor', 'organisation', 'channel', 'value', 'unit', 'quality']
  const more = next === null ? '' : `\n\nthere is more: --cursor ${next}`
  return { json: { readings, next }, text: `${table(head, rows)}${more}` }
}

const UsageAnswer = z.object({
  days: z.array(
    z.object({
      day: z.string().nullable(),
      gateway: z.string(),
      subject: z.string(),
      meter: z.string(),
      custodian: z.string().nullable(),
      workspace: z.string().nullable(),
      billable: z.boolean(),
      quantity: z.string(),
    }),
  ),
  registers: z.array(
    z.object({
      gateway: z.string(),
      epoch: z.string(),
      subject: z.string(),
      meter: z.string(),
      gen: z.number(),
      org: z.string(),
      end: z.string(),
      seq: z.number(),
    }),
  ),
})

interface UsageOptions extends CloudLogin {
  readonly device?: string
  readonly sensor?: string
  readonly from?: string
  readonly to?: string
}

/** `headgate cloud usage`: what the ledger has posted for the key's organisation, by day and sensor. */
export async function cloudUsage(options: UsageOptions): Promise<Answer> {
  const client = await cloudClient(options, warn)
  const answer = await client.get('/v1/usage', { from: options.from, to: options.to }, UsageAnswer)
  const wanted = ({ subject }: { subject: string }): boolean => isWanted(subject, options)
  const days = answer.days.filter(wanted)
  const registers = answer.registers.filter(wanted)
  const rows = days.map((one) => [
    one.day ?? 'not yet known',
    one.gateway,
    one.subject,
    one.meter,
    one.quantity,
    one.billable ? 'yes' : 'no',
    one.custodian ?? '',
  ])
  const head = ['day', 'gateway', 'subject', 'meter', 'quantity', 'billable', 'custodian']
  return { json: { days, registers }, text: table(head, rows) }
}

/** A subject is `sensor:DEVICE/SENSOR`, or something without a device, which no filter lets through. */
function isWanted(subject: string, { device, sensor }: UsageOptions): boolean {
  if (device === undefined && sensor === undefined) return true
  const [, ofDevice, ofSensor] = /^sensor:([^/]+)\/(.+)$/.exec(subject) ?? []
  if (ofDevice === undefined) return false
  return (device === undefined || device === ofDevice) && (sensor === undefined || sensor === ofSensor)
}
