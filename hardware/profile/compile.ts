import type { CycleStep, ReadChannel, Request, Table, ValueSpec } from '../modbus/index.ts'
import { isBitTable, READ_REGISTERS_MAX, registersOf, TABLES } from '../modbus/index.ts'
import { decimalOf, type Resolution } from './decimal.ts'
import { evaluate, usesOf } from './expression/evaluate.ts'
import { type Node, parseDuration, parseExpression } from './expression/parse.ts'
import { ExpressionFault } from './expression/tokens.ts'
import type { Channel, Identify, Profile } from './profile.ts'
import type { ChannelEntry, CycleEntry, ProfileFile, ReadEntry, WriteEntry } from './schema.ts'
import type { Fault } from './source.ts'

const RESOLUTION_STEP_MAX = 1_000_000
/** Longest wait of a cycle for any address. */
const WAIT_MS_MAX = 600_000
const ADDRESS_MAX = 247
const ADDRESSES = 0x10000

type Report = (path: readonly PropertyKey[], sentence: string) => void
/** The same for one entry of the file. */
type Here = (part: string, sentence: string) => void

/** Turns the file's entries into a profile; whatever does not fit together goes to `faults`. */
export function compileProfile(file: ProfileFile, faults: Fault[]): Omit<Profile, 'typical' | 'unproven'> {
  const report: Report = (path, sentence) => void faults.push({ path, sentence })
  const channels = file.channels.map((entry, at) => compileChannel(entry, ['channels', at], report))
  reportDoubles(channels, report)
  return {
    name: file.profile,
    title: file.title ?? null,
    protocol: file.protocol,
    line: file.line,
    limits: file.limits,
    cycle: file.cycle.flatMap((entry, at) => compileStep(entry, ['cycle', at], report)),
    channels: inOrderOfNeed(channels, report),
    cal: file.cal,
    identify: compileIdentify(file, report),
  }
}

function reportDoubles(channels: readonly Channel[], report: Report): void {
  const seen = new Set<string>()
  for (const [at, { id }] of channels.entries()) {
    if (seen.has(id)) report(['channels', at, 'id'], `the name ${id} is taken`)
    if (id === 'address' || id === 'cal')
      report(['channels', at, 'id'], `${id} means something else in expressions`)
    seen.add(id)
  }
}

function compileIdentify(file: ProfileFile, report: Report): Identify | null {
  if (file.identify === undefined) return null
  const [least = 0, most = 0] = file.identify.expect.split('..').map(Number)
  const read = readChannel('identify', file.identify, (part, sentence) => {
    report(['identify', part], sentence)
  })
  return { read, least, most }
}

function compileChannel(entry: ChannelEntry, path: readonly PropertyKey[], report: Report): Channel {
  const here: Here = (part, sentence) => {
    report([...path, part], sentence)
  }
  if ((entry.from === undefined) === (entry.read === undefined))
    report(path, 'a channel has either read or from')
  const { below = null, above = null } = entry.alarm ?? {}
  return {
    id: entry.id,
    sensor: entry.sensor,
    unit: entry.unit,
    title: entry.title ?? null,
    resolution: compileResolution(entry.resolution, here),
    range: entry.range ?? null,
    bad: entry.bad ?? [],
    alarm: entry.alarm === undefined ? null : { below, above },
    scale: entry.scale ?? 1,
    offset: entry.offset ?? 0,
    ...originOf(entry, here),
  }
}

/** Where the channel's value comes from: the device, or an expression. */
function originOf(
  entry: ChannelEntry,
  here: Here,
): Pick<Channel, 'derived' | 'read' | 'expression' | 'sources'> {
  if (entry.from !== undefined) {
    reportReadParts(entry, here)
    return { derived: true, read: null, expression: parsed(entry.from, here), sources: [] }
  }
  const read = entry.read === undefined ? null : readChannel(entry.id, { ...entry, read: entry.read }, here)
  return { derived: false, read, expression: null, sources: [entry.id] }
}

function reportReadParts(entry: ChannelEntry, here: Here): void {
  for (const part of ['type', 'order', 'bits', 'byte', 'length', 'scale', 'offset', 'bad'] as const) {
    if (entry[part] !== undefined) here(part, 'belongs to a channel that is read')
  }
}

function compileResolution(resolution: number | undefined, here: Here): Resolution | null {
  if (resolution === undefined) return null
  const decimal = decimalOf(resolution)
  if (decimal !== undefined && decimal.step >= 1 && decimal.step <= RESOLUTION_STEP_MAX) return decimal
  here('resolution', 'a decimal such as 0.01, 0.5 or 10')
  return null
}

function parsed(source: string, here: Here): Node | null {
  try {
    return parseExpression(source)
  } catch (cause) {
    if (!(cause instanceof ExpressionFault)) throw cause
    here('from', `${cause.message} (character ${cause.at + 1})`)
    return null
  }
}

const WIDTHS: Partial<Record<ValueSpec['type'], number>> = { uint8: 8, uint16: 16, uint32: 32, uint64: 64 }

type ReadPart = ReadEntry & { read: NonNullable<ReadEntry['read']> }

function readChannel(id: string, entry: ReadPart, here: Here): ReadChannel {
  const table: Table = TABLES.find((one) => entry.read[one] !== undefined) ?? 'holding'
  const address = entry.read[table] ?? 0
  const value: ValueSpec = {
    type: entry.type ?? (isBitTable(table) ? 'bool' : 'uint16'),
    order: entry.order ?? 'ABCD',
    bits: entry.bits ?? null,
    byte: entry.byte ?? 'low',
    length: entry.length ?? 0,
  }
  reportMisfits({ id, table, address, value }, entry, here)
  return { id, table, address, value }
}

function reportMisfits({ table, address, value }: ReadChannel, entry: ReadPart, here: Here): void {
  const { type } = value
  const width = WIDTHS[type]
  const faults: readonly (readonly [keyof ReadPart, boolean, string])[] = [
    ['type', isBitTable(table) !== (type === 'bool'), `a ${table} cannot be a ${type}`],
    ['bits', value.bits !== null && width === undefined, `a ${type} has no bit fields`],
    [
      'bits',
      value.bits !== null && value.bits[1] >= (width ?? 64),
      `a ${type} has bits 0 to ${(width ?? 64) - 1}`,
    ],
    ['length', type === 'string' && entry.length === undefined, 'a string needs its length in bytes'],
    ['length', type !== 'string' && entry.length !== undefined, 'only a string has one'],
    ['byte', entry.byte !== undefined && !type.endsWith('int8'), `a ${type} fills whole registers`],
    ['read', address + registersOf(value) > ADDRESSES, 'reaches beyond address 65535'],
    ['length', registersOf(value) > READ_REGISTERS_MAX, 'does not fit one read'],
  ]
  for (const [part, wrong, sentence] of faults) if (wrong) here(part, sentence)
}

function compileStep(entry: CycleEntry, path: readonly PropertyKey[], report: Report): CycleStep[] {
  if ('broadcast' in entry) return [{ kind: 'broadcast', request: writeRequest(entry.broadcast.write) }]
  if ('write' in entry) return [{ kind: 'write', request: writeRequest(entry.write) }]
  try {
    const node = parseDuration(entry.wait)
    if (usesOf(node).channels.length + usesOf(node).cal.length + usesOf(node).neighbours.length > 0) {
      report([...path, 'wait'], 'a wait knows times, numbers and address only')
      return []
    }
    const msFor = (address: number): number => evaluate(node, { ...NOTHING_KNOWN, address })
    const waits = Array.from({ length: ADDRESS_MAX }, (_, index) => msFor(index + 1))
    if (!waits.every((ms) => ms >= 0 && ms <= WAIT_MS_MAX)) {
      report([...path, 'wait'], 'a wait is 0 to 10 minutes, for every address')
    }
    return [{ kind: 'wait', msFor: (address) => Math.ceil(msFor(address)) }]
  } catch (cause) {
    if (!(cause instanceof ExpressionFault)) throw cause
    report([...path, 'wait'], `${cause.message} (character ${cause.at + 1})`)
    return []
  }
}

const NOTHING_KNOWN = { channel: () => Number.NaN, cal: () => Number.NaN, neighbour: () => Number.NaN }

/** One value goes by function 5 or 6 as most devices expect, several or `multiple: true` by 15 or 16. */
function writeRequest(write: WriteEntry): Request {
  const values = write.values ?? [write.value ?? 0]
  const [first = 0] = values
  const single = values.length === 1 && write.multiple !== true
  if (write.coil !== undefined) {
    const address = write.coil
    return single
      ? { fn: 5, address, on: first !== 0 }
      : { fn: 15, address, values: values.map((value) => value !== 0) }
  }
  const address = write.holding ?? 0
  return single ? { fn: 6, address, value: first } : { fn: 16, address, values }
}

/** Puts every channel after those that it needs. Unknown names and circles are faults; their channels are left out. */
function inOrderOfNeed(channels: readonly Channel[], report: Report): Channel[] {
  const done = new Map<string, Channel>()
  let waiting = channels.map((channel, at) => ({ channel, at, uses: usesIn(channel) }))
  const known = new Set(channels.map((channel) => channel.id))
  for (const { at, uses } of waiting) {
    for (const use of uses) {
      if (!known.has(use.id)) {
        report(['channels', at, 'from'], `there is no channel ${use.id} (character ${use.at + 1})`)
      }
    }
  }
  for (;;) {
    const ready = waiting.filter(({ uses }) => uses.every((use) => done.has(use.id) || !known.has(use.id)))
    if (ready.length === 0) break
    for (const { channel, uses } of ready) {
      const sources = new Set([...channel.sources, ...uses.flatMap((use) => done.get(use.id)?.sources ?? [])])
      done.set(channel.id, { ...channel, sources: [...sources] })
    }
    waiting = waiting.filter(({ channel }) => !done.has(channel.id))
  }
  for (const { at, channel } of waiting) {
    report(
      ['channels', at, 'from'],
      `${channel.id} needs itself, through ${waiting.map((one) => one.channel.id).join(', ')}`,
    )
  }
  return [...done.values()]
}

const usesIn = (channel: Channel): readonly { readonly id: string; readonly at: number }[] =>
  channel.expression === null ? [] : usesOf(channel.expression).channels
