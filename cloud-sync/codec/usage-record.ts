import {
  CLOCK_STATES,
  type Hash,
  MemberName,
  METERS,
  RECORD_KINDS,
  RECORD_REGISTERS_MAX,
  type RecordTime,
  type RegisterEnd,
  type SealedRecord,
  Subject,
  SyncError,
  USAGE_QUALITY_MAX,
  UsageRecord,
  UsageRecordHead,
  WorkspaceId,
} from '../contract/index.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { checked, type Schema } from './json.ts'
import { sha256 } from './keys.ts'
import { readParts, writeParts } from './usage-parts.ts'

const VERSION = 1
/** Every register may name a subject, a custodian and a workspace of its own. */
const NAMES_MAX = 3 * RECORD_REGISTERS_MAX

/** Bits of a register's flag byte: what differs from the register before it. */
const BILLABLE = 1
const OTHER_SUBJECT = 2
const OTHER_GEN = 4
const OTHER_CUSTODIAN = 8
const OTHER_WORKSPACE = 16
const HAS_QUALITY = 32

/**
 * Encodes a record once and for ever. The bytes: version, gw, epoch (16), seq, prev (32), kind, org, aclVersion,
 * bootId, time, event, corrects, sw, cfg, names (each subject, custodian and workspace once), registers (flags, meter,
 * changed parts, end), parts (usage-parts.ts). Numbers are LEB128, texts have a length.
 * @throws SyncError SYNC_MESSAGE_MALFORMED where the record does not keep the contract
 */
export function sealRecord(record: UsageRecord): SealedRecord {
  checked(UsageRecord, record)
  const writer = new ByteWriter()
  writer.byte(VERSION)
  writer.text(record.gw)
  writer.hex(record.epoch)
  writer.varint(record.seq)
  writer.hex(record.prev)
  writer.byte(RECORD_KINDS.indexOf(record.kind))
  writer.text(record.org)
  writer.varint(record.aclVersion)
  writer.text(record.bootId)
  writeTime(writer, record.time)
  writer.varint(record.event === null ? 0 : 1)
  if (record.event !== null) writer.text(record.event)
  writer.varint(record.corrects ?? 0)
  writer.text(record.sw)
  writer.text(record.cfg)
  writeRegisters(writer, record.registers)
  writeParts(writer, record)
  const bytes = writer.finish()
  return { record, bytes, hash: sha256(bytes) }
}

/**
 * The exact inverse of `sealRecord`.
 * @throws SyncError SYNC_MESSAGE_MALFORMED for any other bytes
 */
export function decodeRecord(bytes: Uint8Array): UsageRecord {
  const reader = new ByteReader(bytes)
  const v = reader.byte()
  const head = { gw: reader.text(), epoch: reader.hex(16), seq: reader.varint(), prev: reader.hex(32) }
  const kind = RECORD_KINDS[reader.byte()]
  const whose = { org: reader.text(), aclVersion: reader.varint(), bootId: reader.text() }
  const time = readTime(reader)
  const event = reader.atMost(1) === 0 ? null : reader.text()
  const corrects = reader.varint()
  const made = { sw: reader.text(), cfg: reader.text() }
  const registers = readRegisters(reader)
  const parts = readParts(reader)
  const rest = { kind, time, event, corrects: corrects === 0 ? null : corrects, ...parts }
  return { ...checked(UsageRecordHead, { v, ...head, ...whose, ...made, ...rest }), registers }
}

export type Chain =
  | { readonly ok: true; readonly head: Hash }
  | { readonly ok: false; readonly because: 'hash' | 'prev' | 'seq'; readonly seq: number }

/** Whether the records follow each other and `prevHash`, each with its own bytes' hash. Empty: head = prevHash. */
export function verifyChain(records: readonly SealedRecord[], prevHash: Hash): Chain {
  let head = prevHash
  let last: number | undefined
  for (const { record, bytes, hash } of records) {
    const { seq } = record
    if (last !== undefined && seq !== last + 1) return { ok: false, because: 'seq', seq }
    if (record.prev !== head) return { ok: false, because: 'prev', seq }
    if (sha256(bytes) !== hash) return { ok: false, because: 'hash', seq }
    head = hash
    last = seq
  }
  return { ok: true, head }
}

function writeTime(writer: ByteWriter, time: RecordTime): void {
  writer.varint(time.monoStart)
  writer.signed(time.monoEnd - time.monoStart)
  writer.signed(time.wallStart)
  writer.signed(time.wallEnd)
  writer.byte(CLOCK_STATES.indexOf(time.clock))
  writer.varint(time.maxErrMs)
  writer.text(time.tz)
  // A day is eight digits; 0 = none.
  writer.varint(time.day === null ? 0 : Number(time.day.replaceAll('-', '')) + 1)
}

function readTime(reader: ByteReader): unknown {
  const monoStart = reader.varint()
  const monoEnd = monoStart + reader.signed()
  const wall = { wallStart: reader.signed(), wallEnd: reader.signed() }
  const clock = CLOCK_STATES[reader.byte()]
  const label = { maxErrMs: reader.varint(), tz: reader.text() }
  return { monoStart, monoEnd, ...wall, clock, ...label, day: readDay(reader.varint()) }
}

function readDay(packed: number): string | null {
  if (packed === 0) return null
  const digits = String(packed - 1).padStart(8, '0')
  return `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`
}

/** Before the first register: nothing differs from this. Names are numbered from 1, 0 = null. */
interface Previous {
  subject: number
  gen: number
  custodian: number
  workspace: number
}
const nothingYet = (): Previous => ({ subject: 0, gen: 0, custodian: 0, workspace: 0 })

function writeRegisters(writer: ByteWriter, registers: readonly RegisterEnd[]): void {
  const numbers = new Map<string, number>()
  const numberOf = (name: string | null): number => {
    if (name === null) return 0
    const known = numbers.get(name) ?? numbers.size + 1
    numbers.set(name, known)
    return known
  }
  const rows = new ByteWriter()
  const previous = nothingYet()
  for (const register of registers) {
    const now = {
      subject: numberOf(register.subject),
      gen: register.gen,
      custodian: numberOf(register.custodian),
      workspace: numberOf(register.workspace),
    }
    writeRegister(rows, { register, now, previous })
    Object.assign(previous, now)
  }
  writer.varint(numbers.size)
  for (const name of numbers.keys()) writer.text(name)
  writer.varint(registers.length)
  writer.bytes(rows.finish())
}

function writeRegister(
  rows: ByteWriter,
  { register, now, previous }: { register: RegisterEnd; now: Previous; previous: Previous },
): void {
  const parts = [
    [OTHER_SUBJECT, now.subject !== previous.subject, now.subject],
    [OTHER_GEN, now.gen !== previous.gen, now.gen],
    [OTHER_CUSTODIAN, now.custodian !== previous.custodian, now.custodian],
    [OTHER_WORKSPACE, now.workspace !== previous.workspace, now.workspace],
    [HAS_QUALITY, register.q !== 0, register.q],
  ] as const
  let flags = register.billable ? BILLABLE : 0
  for (const [bit, present] of parts) if (present) flags |= bit
  rows.byte(flags)
  rows.varint(METERS.indexOf(register.meter))
  for (const [, present, value] of parts) if (present) rows.varint(value)
  rows.bigVarint(register.end)
}

/** Checks what the contract asks of registers: each name once for what it stands for, and each number. */
function readRegisters(reader: ByteReader): RegisterEnd[] {
  const names: (string | null)[] = [null]
  const nameCount = reader.atMost(NAMES_MAX)
  for (let read = 0; read < nameCount; read += 1) names.push(reader.text())
  const subjectAt = namesAs(Subject, names)
  const custodianAt = namesAs(MemberName.nullable(), names)
  const workspaceAt = namesAs(WorkspaceId.nullable(), names)
  const registers: RegisterEnd[] = []
  const count = reader.atMost(RECORD_REGISTERS_MAX)
  const now = nothingYet()
  for (let read = 0; read < count; read += 1) {
    const flags = reader.byte()
    const meter = METERS[reader.varint()]
    if (meter === undefined) throw new SyncError('SYNC_MESSAGE_MALFORMED', 'A register is of no meter.')
    if (flags & OTHER_SUBJECT) now.subject = reader.varint()
    if (flags & OTHER_GEN) now.gen = reader.varint()
    if (flags & OTHER_CUSTODIAN) now.custodian = reader.varint()
    if (flags & OTHER_WORKSPACE) now.workspace = reader.varint()
    const q = flags & HAS_QUALITY ? reader.atMost(USAGE_QUALITY_MAX) : 0
    registers.push({
      meter,
      subject: subjectAt(now.subject),
      gen: now.gen,
      end: reader.bigVarint(),
      custodian: custodianAt(now.custodian),
      workspace: workspaceAt(now.workspace),
      billable: (flags & BILLABLE) !== 0,
      q,
    })
  }
  return registers
}

/** The name of a number, checked the first time that it stands for this. */
function namesAs<T>(schema: Schema<T>, names: readonly (string | null)[]): (number: number) => T {
  const known: T[] = []
  return (number) => {
    if (number in known) return known[number] as T
    if (number >= names.length) throw new SyncError('SYNC_MESSAGE_MALFORMED', 'A register names nothing.')
    const name = checked(schema, names[number])
    known[number] = name
    return name
  }
}
