import { z } from 'zod'
import { listenerFault } from '../../broker/index.ts'
import {
  DeviceId,
  GatewayId,
  Hash,
  MemberName,
  OrgId,
  PublicKey,
  RoleV1,
  WorkspaceId,
} from '../../cloud-sync/contract/index.ts'
import { FORMATS } from '../../hardware/index.ts'
import { brokerLimits } from './broker-limits.ts'
import { byteSize, decimalNumber, duration, wholeNumber } from './quantity.ts'

const DEVICES_MAX = 1_000
const LINES_MAX = 64
const LISTENERS_MAX = 8
const ORIGINS_MAX = 64
const USERS_MAX = 1_000
const CALIBRATIONS_MAX = 100
const FILE_NAME_MAX = 1_024
const INTERFACES_MAX = 8

const plain = z.string().regex(/^[a-z0-9-]{1,64}$/, 'lower case letters, digits and hyphens, 1 to 64')
const fileName = z.string().min(1, 'is empty').max(FILE_NAME_MAX)
const usbNumber = z.string().regex(/^[0-9A-Fa-f]{4}$/, 'four hexadecimal digits, as `lsusb` shows them')
/** As the kernel takes them (IFNAMSIZ). */
const interfaceName = z
  .string()
  .regex(/^(?!\.{1,2}$)[^\s/:]{1,15}$/, 'must be the name of a network interface, such as wwan0')
const hostAndPort = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, 'must be HOST:PORT')
  .refine((text) => portOf(text) <= 65_535, 'the port must be at most 65535')
const instant = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-01-31T00:00:00Z' })
  .transform(Date.parse)

const line = z
  .strictObject({
    id: plain,
    path: fileName.optional(),
    usb: z
      .strictObject({ vendor: usbNumber, product: usbNumber, serial: z.string().max(128).optional() })
      .optional(),
    tcp: hostAndPort.optional(),
    baud: wholeNumber(50, 4_000_000).default(9_600),
    format: z.enum(FORMATS).default('8N1'),
  })
  .refine(({ path, usb, tcp }) => [path, usb, tcp].filter((port) => port !== undefined).length === 1, {
    error: 'give one of path, usb, tcp',
    when: () => true,
  })

const calibration = z.strictObject({
  version: wholeNumber(1, 1_000_000),
  validFrom: instant.default(0),
  values: z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, 'not a name'), decimalNumber),
})

const device = z.strictObject({
  id: DeviceId,
  line: plain,
  address: wholeNumber(1, 247),
  profile: z
    .string()
    .regex(
      /^([a-z0-9-]{1,64}\/[1-9]\d{0,5}|.{1,1000}\.ya?ml)$/,
      'a name such as example-tilt/1, or a .yaml file',
    ),
  every: duration({ least: '100ms', most: '24h' }),
  organisation: OrgId.optional(),
  custodian: MemberName.optional(),
  workspace: WorkspaceId.optional(),
  diagnostic: z.enum(['true', 'false']).default('false'),
  calibrations: z.array(calibration).max(CALIBRATIONS_MAX).default([]),
})

/** A URL alone, or a group with what belongs to it. */
const listener = z.preprocess(
  (entry) => (typeof entry === 'string' ? { url: entry } : entry),
  z
    .strictObject({
      url: z.string().max(FILE_NAME_MAX),
      tls: z
        .strictObject({
          cert: fileName,
          key: fileName,
          ca: fileName.optional(),
          clientCertificate: z.enum(['none', 'request', 'require']).default('none'),
        })
        .optional(),
      origins: z.array(z.string().max(FILE_NAME_MAX)).max(ORIGINS_MAX).optional(),
      mode: z
        .string()
        .regex(/^0?[0-7]{3}$/, 'must be an access mode such as 0660')
        .transform((digits) => Number.parseInt(digits, 8))
        .optional(),
    })
    .check(({ value, issues }) => {
      const message = listenerFault(value)
      if (message !== null) issues.push({ code: 'custom', input: value, message })
    }),
)

const cloud = z
  .strictObject({
    url: z.string().regex(/^mqtts?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?$/, {
      error: 'must be mqtts://HOST:PORT (or mqtt:// where the way there is trusted)',
    }),
    ca: fileName.optional(),
    cert: fileName.optional(),
    key: fileName.optional(),
    trust: PublicKey,
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'cert and key belong together')

const cellular = z.strictObject({
  interfaces: z.array(interfaceName).min(1).max(INTERFACES_MAX).optional(),
  counterBits: z
    .enum(['32', '64'])
    .default('64')
    .transform((bits) => (bits === '32' ? 32 : 64)),
  sampleEvery: duration({ least: '1s', most: '5m' }).prefault('10s'),
  modemManager: z.enum(['on', 'off']).default('on'),
  hostAbsorbs: z.enum(['true', 'false']).default('false'),
  budget: z
    .strictObject({
      bytes: byteSize({ least: '1MB', most: '100000GB' }),
      day: wholeNumber(1, 28).prefault('1'),
    })
    .optional(),
})

const user = z.strictObject({
  name: MemberName,
  organisation: OrgId.optional(),
  role: RoleV1,
  keyHash: Hash,
})

/** gateway.yaml as it is written; every scalar is text. docs/configuration.md has a row for each key. */
export const ConfigFile = z.strictObject({
  gateway: z.strictObject({ id: GatewayId, dataDir: fileName }),
  lines: z.array(line).max(LINES_MAX).default([]),
  devices: z.array(device).max(DEVICES_MAX).default([]),
  broker: z
    .strictObject({
      listen: z
        .array(listener)
        .max(LISTENERS_MAX)
        .default([{ url: 'tcp://127.0.0.1:1883' }]),
      anonymous: z.enum(['none', 'read']).default('none'),
      limits: brokerLimits,
      metrics: z.strictObject({ listen: hostAndPort.default('127.0.0.1:9101') }).optional(),
    })
    .prefault({}),
  cloud: cloud.optional(),
  console: z
    .strictObject({ listen: hostAndPort, names: z.array(z.string().min(1).max(253)).max(16).default([]) })
    .optional(),
  claim: z.strictObject({ button: fileName.optional() }).prefault({}),
  organisation: z.strictObject({ id: OrgId, name: z.string().min(1).max(128) }).optional(),
  users: z.array(user).max(USERS_MAX).default([]),
  storage: z
    .strictObject({
      commitWindow: duration({ least: '50ms', most: '10s' }).prefault('1s'),
      maxBytes: byteSize({ least: '16MiB', most: '1000GiB' }).prefault('2GiB'),
      keepReadings: duration({ least: '1h', most: '3650d' }).prefault('365d'),
    })
    .prefault({}),
  cellular: cellular.optional(),
  usage: z.strictObject({ interval: duration({ least: '1s', most: '24h' }).optional() }).prefault({}),
  uplink: z
    .strictObject({
      keepalive: duration({ least: '10s', most: '1h' }).prefault('900s'),
      reconnectMax: duration({ least: '1s', most: '1h' }).prefault('120s'),
      batchAfter: duration({ least: '100ms', most: '1h' }).prefault('10s'),
      liveBytesPerSecond: byteSize({ least: '100B', most: '1GB' }).prefault('64kB'),
      backfillBytesPerSecond: byteSize({ least: '100B', most: '1GB' }).prefault('32kB'),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
})
export type ConfigFile = z.infer<typeof ConfigFile>

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
