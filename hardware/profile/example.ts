import { ascii, crc16 } from '../modbus/index.ts'
import type { Protocol, RawValue, Step } from '../protocol.ts'
import type { Reading } from '../reading.ts'
import type { Profile } from './profile.ts'
import { protocolOf } from './protocol-of.ts'
import { readingsOf } from './readings.ts'
import type { ExampleEntry } from './schema.ts'
import type { Fault } from './source.ts'

type ExchangeStep = Extract<Step, { kind: 'exchange' }>
type ExpectedValue = NonNullable<ExampleEntry['values']>[string]

const EXAMPLE_DEVICE = 'example'

/** What is wrong with an example; caught by `runExample`. */
class ExampleFault extends Error {}

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(' ')

/**
 * Bytes of a text such as "02 03 0102 0002 crc", or ":0103…" for ASCII, whose line end is added. `crc` is the
 * checksum of what stands before it, for manuals that print none.
 */
function bytesOf(text: string): Uint8Array {
  if (text.startsWith(':')) return new TextEncoder().encode(`${text.trimEnd()}\r\n`)
  const bytes: number[] = []
  for (const word of text.trim().split(/\s+/)) {
    if (word === 'crc') {
      const crc = crc16(Uint8Array.from(bytes))
      bytes.push(crc & 0xff, crc >> 8)
    } else if (/^([0-9A-Fa-f]{2})+$/.test(word)) {
      for (let at = 0; at < word.length; at += 2) bytes.push(Number.parseInt(word.slice(at, at + 2), 16))
    } else throw new ExampleFault(`"${word}" is neither bytes in hex nor crc`)
  }
  return Uint8Array.from(bytes)
}

const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, at) => byte === b[at])

/** Steps of polls that an example may show: of all channels, of those it names, and of each alone. */
function possibleSteps(
  profile: Profile,
  protocol: Protocol,
  named: readonly string[],
  address: number,
): Step[] {
  const all = profile.channels.map((channel) => channel.id)
  const choices = [all, named, ...named.map((id) => [id])]
  return choices.flatMap((channels) => protocol.plan(address, channels, new Set()))
}

function addressOf(profile: Profile, request: Uint8Array): number {
  if (profile.protocol === 'modbus-rtu') return request[0] ?? 0
  return ascii.unwrap(request)?.unit ?? 0
}

/** Runs one example of the file against the profile; a fault tells what was expected and what came out. */
export function runExample(profile: Profile, example: ExampleEntry, at: number): Fault[] {
  const path = ['examples', at]
  try {
    const readings = readingsFor(profile, example)
    const values = Object.entries(example.values ?? {})
    if (values.length === 0) return []
    return values.flatMap(([id, expected]) => {
      const sentence = difference(readings.get(id), expected)
      return sentence === undefined ? [] : [{ path: [...path, 'values', id], sentence }]
    })
  } catch (cause) {
    if (!(cause instanceof ExampleFault)) throw cause
    return [{ path, sentence: cause.message }]
  }
}

function readingsFor(profile: Profile, example: ExampleEntry): Map<string, Reading> {
  const protocol = protocolOf(profile)
  const exchanges = example.exchanges ?? [{ request: example.request ?? '', reply: example.reply }]
  const raw: RawValue[] = []
  const failed = new Map<string, Reading['reason'] & string>()
  let address = 1
  for (const exchange of exchanges) {
    const request = bytesOf(exchange.request)
    const unit = addressOf(profile, request)
    if (unit !== 0) address = unit
    const steps = possibleSteps(profile, protocol, Object.keys(example.values ?? {}), address)
    const step = stepFor(steps, request)
    if (step.kind !== 'exchange') {
      if (exchange.reply !== undefined) throw new ExampleFault('a broadcast has no reply')
      continue
    }
    if (exchange.reply === undefined) throw new ExampleFault('this request has a reply')
    const result = protocol.decode(step, wholeFrame(step, bytesOf(exchange.reply)))
    if (result.ok) raw.push(...result.values)
    else for (const id of step.channels) failed.set(id, result.reason)
  }
  const readings = readingsOf(profile, {
    device: EXAMPLE_DEVICE,
    address,
    takenAt: 0,
    raw,
    failed,
    calibrations: example.cal === undefined ? [] : [{ version: 1, validFrom: 0, values: example.cal }],
    neighbour: (ref) => {
      const value = example.sensors?.[`${ref.device}/${ref.sensor}.${ref.channel}`]
      return value === undefined ? undefined : { value, takenAt: 0 }
    },
  })
  return new Map(readings.map((reading) => [reading.channel, reading]))
}

function stepFor(steps: readonly Step[], request: Uint8Array): Exclude<Step, { kind: 'wait' }> {
  const sent = steps.flatMap((step) => (step.kind === 'wait' ? [] : [step]))
  const found = sent.find((step) => equal(step.tx, request))
  if (found !== undefined) return found
  const would = [...new Set(sent.map((step) => hex(step.tx)))].join(', ')
  throw new ExampleFault(`no poll sends ${hex(request)}; polls of these channels send ${would || 'nothing'}`)
}

function wholeFrame(step: ExchangeStep, reply: Uint8Array): Uint8Array {
  const found = step.match(reply)
  if ('frame' in found && found.frame[0] === 0 && found.frame[1] === reply.length) return reply
  const body = hex(reply)
  if ('reject' in found && found.reject === 'crc')
    throw new ExampleFault(`the checksum of the reply ${body} is wrong`)
  throw new ExampleFault(
    `the reply ${body} is no answer to ${hex(step.tx)}: ${step.rxBytes} bytes are expected`,
  )
}

/** A value counts to its last written digit: 10802.12 stands for 10802.115 to 10802.125; an integer for itself. */
function agrees(got: number, expected: number): boolean {
  const [mantissa = '', exponent = '0'] = String(expected).split('e')
  const digits = (mantissa.split('.')[1] ?? '').length
  const tolerance = digits === 0 ? 0 : 0.5 * 10 ** (Number(exponent) - digits)
  return Math.abs(got - expected) <= tolerance * (1 + 1e-9)
}

function difference(reading: Reading | undefined, expected: ExpectedValue): string | undefined {
  if (reading === undefined) return 'no exchange of this example brings it'
  const got = reading.value
  const why = reading.reason === null ? '' : ` (${reading.reason})`
  const sentence = `expected ${expected === null ? 'a bad reading' : String(expected)}, got ${String(got)}${why}`
  if (expected === null) return reading.quality === 'good' ? sentence : undefined
  if (reading.quality !== 'good') return sentence
  if (typeof got === 'number' && typeof expected === 'number')
    return agrees(got, expected) ? undefined : sentence
  return String(got) === String(expected) ? undefined : sentence
}
