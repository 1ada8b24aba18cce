import {
  type Format,
  HardwareError,
  MODBUS_ADDRESSES,
  type ScanEvent,
  scanLine,
  type SniffedFrame,
  sniffLine,
  type TriedExchange,
  tryDevice,
} from '../../hardware/index.ts'
import { shippedProfiles } from '../config/profile-file.ts'
import { AgentError } from '../errors.ts'
import { formatOf, portOf, profileText, wholeNumber } from './arguments.ts'
import { interrupted } from './interrupt.ts'
import { type Answer, errorLine, processTerminal, table } from './output.ts'
import { createProgress } from './progress.ts'

interface PortOptions {
  readonly baud: string
  readonly format: string
  readonly json?: boolean
}

const BAUD = { least: 50, most: 4_000_000 }
const ADDRESS = { least: MODBUS_ADDRESSES[0] ?? 1, most: MODBUS_ADDRESSES.at(-1) ?? 247 }
/** Most usual first; what the call names comes before them. */
const USUAL_BAUDS = [9_600, 19_200, 38_400, 57_600, 115_200, 4_800, 2_400]
const USUAL_FORMATS: readonly Format[] = ['8N1', '8E1', '8O1', '8N2']
const SNIFF_SECONDS = { least: 1, most: 86_400 }
/** Frames kept for --json; what is above this is counted only. */
const SNIFF_FRAMES_MAX = 100_000

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const spaced = (bytes: Uint8Array): string =>
  hex(bytes)
    .toUpperCase()
    .replace(/..(?=.)/g, '$& ')
const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 10) / 10)

interface ScanOptions extends PortOptions {
  readonly allSpeeds?: boolean
  readonly ascii?: boolean
  readonly first: string
  readonly last: string
  readonly profile?: string
}

type Found = Extract<ScanEvent, { kind: 'found' }>
type Garbled = Extract<ScanEvent, { kind: 'garbled' }>

/** `headgate line scan PORT`: exit 1 where nothing answered; Ctrl-C ends it with what was found. */
export async function scan(options: ScanOptions, [name = '']: readonly string[]): Promise<Answer> {
  const port = portOf(name)
  const first = wholeNumber('--first', options.first, ADDRESS)
  const last = wholeNumber('--last', options.last, { least: first, most: ADDRESS.most })
  const signal = interrupted()
  const progress = createProgress()
  const found: Found[] = []
  const garbled: Garbled[] = []
  let asked = 0
  let total = 0
  const events = scanLine({
    port,
    ...speedsOf(options, port.kind === 'tcp'),
    addresses: MODBUS_ADDRESSES.slice(first - 1, last),
    framing: options.ascii === true ? 'modbus-ascii' : 'modbus-rtu',
    profiles: [
      ...shippedProfiles(),
      ...(options.profile === undefined ? [] : [profileText(options.profile)]),
    ],
    signal,
  })
  try {
    for await (const event of events) {
      asked = event.kind === 'asking' ? event.done : asked
      total = event.kind === 'asking' ? event.total : total
      if (event.kind === 'asking') {
        const { baud, format, address } = event
        progress.show(`${asked}/${total}  address ${address} at ${baud} ${format}  ${found.length} found`)
      } else {
        if (event.kind === 'found') found.push(event)
        else garbled.push(event)
        progress.note(eventText(event))
      }
    }
  } finally {
    progress.end()
  }
  // `asking` tells what is behind; the last one asked is behind too unless it was cut short.
  if (!signal.aborted) asked = total
  return scanAnswer(name, { found, garbled, asked, total, interrupted: signal.aborted })
}

function speedsOf(options: ScanOptions, isServer: boolean): { bauds: number[]; formats: Format[] } {
  const baud = wholeNumber('--baud', options.baud, BAUD)
  const format = formatOf(options.format)
  if (options.allSpeeds !== true) return { bauds: [baud], formats: [format] }
  if (isServer)
    throw new AgentError('USAGE', '--all-speeds: the speed of a serial device server is set there')
  return {
    bauds: [...new Set([baud, ...USUAL_BAUDS])],
    formats: [...new Set([format, ...USUAL_FORMATS])],
  }
}

function eventText(event: Found | Garbled): string {
  const place = `address ${event.address} at ${event.baud} ${event.format}`
  if (event.kind === 'garbled') return `${place}: ${event.bytes} bytes that are no frame`
  const profiles = event.profiles.length === 0 ? '' : `, perhaps ${event.profiles.join(' or ')}`
  return `${place}: answered in ${event.tookMs.toFixed(0)} ms${profiles}`
}

function scanAnswer(
  port: string,
  result: { found: Found[]; garbled: Garbled[]; asked: number; total: number; interrupted: boolean },
): Answer {
  const { found, garbled, asked, total } = result
  const json = {
    port,
    asked,
    total,
    interrupted: result.interrupted,
    found: found.map(({ baud, format, address, exception, tookMs, profiles }) => {
      return { baud, format, address, exception, tookMs: rounded(tookMs), profiles }
    }),
    garbled: garbled.map(({ baud, format, address, bytes }) => ({ baud, format, address, bytes })),
  }
  const rows = found.map((one) => [
    one.address,
    one.baud,
    one.format,
    one.exception === null ? 'value' : `exception ${one.exception}`,
    rounded(one.tookMs) ?? 0,
    one.profiles.join(' '),
  ])
  const head = ['address', 'baud', 'format', 'answer', 'ms', 'profiles']
  const summary = `${found.length} found, ${garbled.length} garbled, asked ${asked} of ${total}`
  const nothing = errorLine(new HardwareError('SERIAL_NO_ANSWER', `nothing answered on ${port}`))
  const text = found.length === 0 ? `${summary}\n${nothing}` : `${table(head, rows)}\n\n${summary}`
  return { json, text, exit: found.length === 0 ? 1 : 0 }
}

interface SniffOptions extends PortOptions {
  readonly seconds: string
}

/** `headgate line sniff PORT`: shows frames as they come; with --json all of them at the end. Exit 1 where none came. */
export async function sniff(options: SniffOptions, [name = '']: readonly string[]): Promise<Answer> {
  const port = portOf(name)
  const baud = wholeNumber('--baud', options.baud, BAUD)
  const format = formatOf(options.format)
  const seconds = wholeNumber('--seconds', options.seconds, SNIFF_SECONDS)
  const signal = AbortSignal.any([interrupted(), AbortSignal.timeout(seconds * 1000)])
  const frames: SniffedFrame[] = []
  const counts = { frames: 0, noiseBytes: 0 }
  for await (const heard of sniffLine({ port, baud, format, signal })) {
    if (heard.frame === null) counts.noiseBytes += heard.bytes.length
    else counts.frames += 1
    if (options.json !== true) processTerminal.out(`${frameText(heard)}\n`)
    else if (frames.length < SNIFF_FRAMES_MAX) frames.push(heard)
  }
  const isSilent = counts.frames === 0 && counts.noiseBytes === 0
  const summary = `${counts.frames} frames, ${counts.noiseBytes} bytes that are no frame`
  const silence = errorLine(new HardwareError('SERIAL_NO_ANSWER', `nothing was heard on ${name}`))
  return {
    json: { port: name, baud, format, ...counts, heard: frames.map(frameJson) },
    text: isSilent ? `${summary}\n${silence}` : summary,
    exit: isSilent ? 1 : 0,
  }
}

const frameJson = ({ at, gapMs, bytes, frame }: SniffedFrame): object => ({
  at,
  gapMs: rounded(gapMs),
  bytes: hex(bytes),
  frame: frame === null ? null : { ...frame },
})

function frameText({ at, gapMs, bytes, frame }: SniffedFrame): string {
  const what = frame === null ? 'no frame' : `${frame.unit} ${frame.role}: ${frame.name}, ${frame.text}`
  const gap = gapMs === null ? '' : `+${gapMs.toFixed(0)} ms`
  return `${new Date(at).toISOString()}  ${gap.padStart(9)}  ${what}  ${spaced(bytes)}`
}

interface TryOptions {
  readonly baud?: string
  readonly format?: string
  readonly profile: string
  readonly address: string
}

/** `headgate line try PORT`: one poll as the profile says, with its bytes. Exit 1 where the device did not answer. */
export async function tryOnce(options: TryOptions, [name = '']: readonly string[]): Promise<Answer> {
  const progress = createProgress()
  const result = await tryDevice({
    port: portOf(name),
    ...(options.baud === undefined ? {} : { baud: wholeNumber('--baud', options.baud, BAUD) }),
    ...(options.format === undefined ? {} : { format: formatOf(options.format) }),
    address: wholeNumber('--address', options.address, ADDRESS),
    profile: profileText(options.profile),
    signal: interrupted(),
    onExchange: (exchange) => {
      progress.show(exchangeText(exchange))
    },
  }).finally(() => {
    progress.end()
  })
  const answered = result.verdict === 'whole' || result.verdict === 'partly'
  const rows = result.readings.map((reading) => [
    reading.sensor,
    reading.channel,
    reading.value === null ? '-' : String(reading.value),
    reading.unit,
    reading.reason === null ? reading.quality : `${reading.quality} (${reading.reason})`,
  ])
  const exchanges = result.exchanges.map(({ sent, received, outcome, tookMs }) => {
    return { sent: hex(sent), received: hex(received), outcome, tookMs: rounded(tookMs) }
  })
  const readings = result.readings.map(
    ({ sensor, channel, value, unit, quality, reason, derived, takenAt }) => {
      return { sensor, channel, value, unit, quality, reason, derived, takenAt }
    },
  )
  const fault = result.verdict === 'busy' ? 'is busy' : 'does not answer'
  const silence = new HardwareError('SERIAL_NO_ANSWER', `address ${options.address} on ${name} ${fault}`)
  return {
    json: { port: name, profile: result.profile, verdict: result.verdict, exchanges, readings },
    text: [
      `${result.profile} at address ${options.address}: ${result.verdict}`,
      ...result.exchanges.map(exchangeText),
      '',
      table(['sensor', 'channel', 'value', 'unit', 'quality'], rows),
      ...(answered ? [] : ['', errorLine(silence)]),
    ].join('\n'),
    exit: answered ? 0 : 1,
  }
}

function exchangeText({ sent, received, outcome, tookMs }: TriedExchange): string {
  const took = tookMs === null ? '' : ` in ${tookMs.toFixed(1)} ms`
  return `  > ${spaced(sent)}\n  < ${received.length === 0 ? '' : `${spaced(received)}  `}${outcome}${took}`
}
