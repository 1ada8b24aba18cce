import { z } from 'zod'
import { FORMATS, formatName } from '../config.ts'
import { BYTE_ORDERS, READ_BITS_MAX, READ_REGISTERS_MAX, VALUE_TYPES } from '../modbus/index.ts'
import { PROTOCOLS } from './profile.ts'

/** What one profile may hold; real devices need a tenth of it. */
export const CHANNELS_MAX = 512
const EXAMPLES_MAX = 256
const CYCLE_STEPS_MAX = 16
const TEXT_MAX = 200
const MS_MAX = 600_000

const Address = z.int().min(0).max(0xffff)
const Word = z.int().min(0).max(0xffff)
const Name = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, 'a letter, then letters, digits and underscores, 64 at most')
const Plain = z.string().regex(/^[a-z0-9-]{1,64}$/, 'lower case letters, digits and hyphens, 1 to 64')
const Ms = z.int().min(0).max(MS_MAX)

const Place = z
  .strictObject({
    coil: Address.optional(),
    discrete: Address.optional(),
    holding: Address.optional(),
    input: Address.optional(),
  })
  .refine((place) => Object.keys(place).length === 1, 'name one of coil, discrete, holding, input')

const Write = z
  .strictObject({
    coil: Address.optional(),
    holding: Address.optional(),
    value: Word.optional(),
    values: z.array(Word).min(1).max(64).optional(),
    /** Function 16 or 15 even for a single value. */
    multiple: z.boolean().optional(),
  })
  .refine(
    (write) => (write.coil === undefined) !== (write.holding === undefined),
    'name one of coil, holding',
  )
  .refine((write) => (write.value === undefined) !== (write.values === undefined), 'give value or values')

const CycleEntry = z.union(
  [
    z.strictObject({ broadcast: z.strictObject({ write: Write }) }),
    z.strictObject({ write: Write }),
    z.strictObject({ wait: z.string().min(1).max(TEXT_MAX) }),
  ],
  'a step is broadcast: {write: …}, write: …, or wait: "300ms + 50ms*address"',
)

const LONG_ORDERS: Readonly<Record<string, (typeof BYTE_ORDERS)[number]>> = {
  AB: 'ABCD',
  BA: 'BADC',
  ABCDEFGH: 'ABCD',
  GHEFCDAB: 'CDAB',
  BADCFEHG: 'BADC',
  HGFEDCBA: 'DCBA',
}
const Order = z.preprocess(
  (order) => (typeof order === 'string' ? (LONG_ORDERS[order] ?? order) : order),
  z.enum(BYTE_ORDERS),
)
const Bit = z.int().min(0).max(63)
const Bits = z.preprocess(
  (bits) => (typeof bits === 'number' ? [bits, bits] : bits),
  z.tuple([Bit, Bit]).refine(([low, high]) => low <= high, 'the lower bit first'),
)

const ReadPart = {
  read: Place.optional(),
  type: z.enum(VALUE_TYPES).optional(),
  order: Order.optional(),
  bits: Bits.optional(),
  byte: z.enum(['high', 'low']).optional(),
  length: z.int().min(1).max(246).optional(),
}

/** The plain number is a unit too, and in YAML it looks like one. */
const Unit = z.preprocess(
  (unit) => (unit === 1 ? '1' : unit),
  z.string().regex(/^[!-~]{1,32}$/, 'a UCUM code such as Cel, V, mm, kW.h, or 1'),
)

const ChannelEntry = z.strictObject({
  id: Name,
  sensor: Plain.default('main'),
  title: z.string().max(TEXT_MAX).optional(),
  ...ReadPart,
  scale: z
    .number()
    .refine((scale) => scale !== 0, 'a scale of 0 leaves nothing')
    .optional(),
  offset: z.number().optional(),
  bad: z
    .array(z.union([z.number(), z.bigint()]))
    .max(16)
    .optional(),
  from: z.string().min(1).optional(),
  unit: Unit,
  resolution: z.number().positive().optional(),
  range: z
    .tuple([z.number(), z.number()])
    .refine(([least, most]) => least < most, 'the lower end first')
    .optional(),
  alarm: z
    .strictObject({ below: z.number().optional(), above: z.number().optional() })
    .refine((alarm) => alarm.below !== undefined || alarm.above !== undefined, 'give below, above or both')
    .optional(),
})
export type ChannelEntry = z.infer<typeof ChannelEntry>

const Bytes = z.string().min(1).max(2000)
const Exchange = z.strictObject({ request: Bytes, reply: Bytes.optional() })
const Expected = z.union([z.number(), z.bigint(), z.string(), z.null()])

const ExampleEntry = z
  .strictObject({
    title: z.string().max(TEXT_MAX).optional(),
    request: Bytes.optional(),
    reply: Bytes.optional(),
    exchanges: z.array(Exchange).min(1).max(32).optional(),
    cal: z.record(Name, z.number()).optional(),
    sensors: z.record(z.string(), z.number()).optional(),
    values: z.record(Name, Expected).optional(),
  })
  .refine(
    (example) => (example.request === undefined) !== (example.exchanges === undefined),
    'give request and reply, or exchanges',
  )
export type ExampleEntry = z.infer<typeof ExampleEntry>

const LimitsEntry = z.strictObject({
  maxRegs: z.int().min(1).max(READ_REGISTERS_MAX).default(READ_REGISTERS_MAX),
  maxBits: z.int().min(1).max(READ_BITS_MAX).default(READ_BITS_MAX),
  // At 9600 baud and 5 ms of thinking a hole of 12 registers costs what a second request does.
  maxHole: z.int().min(0).max(READ_REGISTERS_MAX).default(8),
  gapMs: Ms.default(0),
  timeoutMs: Ms.min(10).default(500),
  thinkMs: Ms.default(5),
  lateMs: Ms.default(300),
  busyRetryMs: Ms.default(1000),
  wake: z.enum(['none', 'retry']).default('none'),
})

/** A profile file as it is written; docs/profiles.md describes every field. */
export const ProfileFile = z.strictObject({
  profile: z.string().regex(/^[a-z0-9-]{1,64}\/[1-9][0-9]{0,5}$/, 'a name and a version, such as acme-t1/1'),
  title: z.string().max(TEXT_MAX).optional(),
  protocol: z.enum(PROTOCOLS),
  line: z.strictObject({
    baud: z.int().min(50).max(4_000_000),
    format: z.preprocess(formatName, z.enum(FORMATS)),
  }),
  limits: LimitsEntry.prefault({}),
  cycle: z.array(CycleEntry).max(CYCLE_STEPS_MAX).default([]),
  channels: z.array(ChannelEntry).min(1).max(CHANNELS_MAX),
  cal: z.record(Name, z.number()).default({}),
  identify: z
    .strictObject({
      ...ReadPart,
      read: Place,
      expect: z.string().regex(/^-?\d+(\.\d+)?\.\.-?\d+(\.\d+)?$/, 'a range such as "0..65535"'),
    })
    .optional(),
  examples: z.array(ExampleEntry).min(1).max(EXAMPLES_MAX),
})
export type ProfileFile = z.infer<typeof ProfileFile>
export type CycleEntry = z.infer<typeof CycleEntry>
export type ReadEntry = Pick<ChannelEntry, keyof typeof ReadPart>
export type WriteEntry = z.infer<typeof Write>
