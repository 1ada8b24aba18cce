import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GatewayClock, type TimeSources } from '../../agent/clock/index.ts'
import { Meters, type Owner, type Zones } from '../../agent/metering/index.ts'
import { openDatabase } from '../../agent/storage/database.ts'
import { readMetaNumber } from '../../agent/storage/meta.ts'
import { beginStreams } from '../../agent/storage/streams.ts'
import { UsageLedger } from '../../agent/storage/usage.ts'
import { decodeRecord } from '../../cloud-sync/codec/index.ts'
import {
  type Epoch,
  type GatewayId,
  type OrgId,
  shareOf,
  type Subject,
  type UsageRecord,
} from '../../cloud-sync/contract/index.ts'

/** A machine whose clocks a test moves: monotonic time runs on, wall time may be anything. */
export class ModelMachine implements TimeSources {
  bootId = 'boot-1'
  #monoMs = 5_000
  wall = Date.UTC(2026, 10, 21, 12)
  isSynced = true

  monoMs(): number {
    return this.#monoMs
  }
  wallMs(): number {
    return this.wall
  }
  wallIsSynced(): boolean {
    return this.isSynced
  }
  /** Both clocks go on. */
  pass(ms: number): void {
    this.#monoMs += ms
    this.wall += ms
  }
  /** Off and on again: monotonic time begins anew; a machine with a buffered clock knows how long it was off. */
  reboot(offMs: number, hasBufferedClock: boolean): void {
    this.bootId = `boot-${Number(this.bootId.slice(5)) + 1}`
    this.#monoMs = 5_000
    this.wall = hasBufferedClock ? this.wall + offMs : Date.UTC(1970, 0, 1)
    this.isSynced = false
  }
}

/** The gateway's ledger of usage alone, on a real file, with the real clock on a machine of the test's. */
export class MeteredLedger {
  readonly #folder = mkdtempSync(join(tmpdir(), 'headgate-ledger-'))
  readonly #opened = openDatabase(this.#folder, 0)
  readonly machine: ModelMachine
  /** What the wall clock showed at the last commit. */
  #committedAt: number | null = null
  zones: Zones
  cfg = 'c1'
  clock: GatewayClock
  ledger: UsageLedger

  readonly #intervalMs: number

  constructor({ machine = new ModelMachine(), zones = new Map() as Zones, intervalMs = 3_600_000 } = {}) {
    this.machine = machine
    this.#intervalMs = intervalMs
    this.zones = zones
    // The tests kill no machine, and there are many commits.
    this.#opened.connection.pragma('synchronous = off')
    beginStreams(this.#opened.connection, 'e'.repeat(32) as Epoch)
    ;({ clock: this.clock, ledger: this.ledger } = this.#start())
  }

  #start(): { clock: GatewayClock; ledger: UsageLedger } {
    const database = this.#opened.connection
    const highWaterMs = readMetaNumber(database, 'trusted_ms')
    const clock = new GatewayClock({ sources: this.machine, highWaterMs, cloudConfigured: true })
    const ledger = new UsageLedger(database, {
      gateway: 'GW-1' as GatewayId,
      clock,
      intervalMs: this.#intervalMs,
      sw: '0.1.0',
      cfg: this.cfg,
      inForce: {
        version: () => 1,
        zones: () => this.zones,
        organisation: () => 'acme' as OrgId,
        isDisputed: () => false,
      },
    })
    const recovered = database.transaction(() => ledger.recover(database, this.#committedAt))()
    recovered()
    return { clock, ledger }
  }

  /** Killed and started again: what was not committed is gone. */
  restart(): void {
    ;({ clock: this.clock, ledger: this.ledger } = this.#start())
  }

  /** One commit with so many readings of each of these sensors. */
  commit(
    readings: readonly { readonly subject: Subject; readonly owner: Owner; readonly count: number }[],
  ): void {
    const database = this.#opened.connection
    this.clock.look()
    const meters = new Meters()
    for (const { subject, owner, count } of readings) {
      for (let n = 0; n < count; n += 1)
        meters.count(subject, owner, { value: 1, quality: 'good', derived: false, payloadBytes: 3 })
    }
    const done = database.transaction(() =>
      this.ledger.write(database, (dayOf) => meters.increments(dayOf)),
    )()
    done()
    this.#committedAt = this.machine.wall
  }

  records(): UsageRecord[] {
    return this.recordsAfter(0).map(decodeRecord)
  }

  /** Stored bytes of the records made after the first `count`. */
  recordsAfter(count: number): Uint8Array[] {
    return this.#opened.connection
      .prepare('SELECT bytes FROM usage_record ORDER BY rowid LIMIT -1 OFFSET ?')
      .pluck()
      .all(count) as Uint8Array[]
  }

  close(): void {
    this.#opened.connection.close()
    this.#opened.lock.release()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** What a record added to a register, under the day that it was given at last; null = none yet. */
export interface Posted {
  readonly org: string
  readonly day: string | null
  readonly meter: string
  readonly subject: string
  readonly by: bigint
}

/** The ledger of a cloud in miniature: each register's deltas, and shares of undated records moved to their days. */
export function postedFrom(records: readonly UsageRecord[]): Posted[] {
  const ends = new Map<string, bigint>()
  const bySeq = new Map<number, Posted[]>()
  const all: Posted[] = []
  for (const record of records) {
    const { org, seq, registers, corrects, kind, time } = record
    const posted = registers.map(({ meter, subject, gen, end }): Posted => {
      const name = `${meter} ${subject} ${gen}`
      const by = end - (ends.get(name) ?? 0n)
      if (by < 0n) throw new Error(`${name} fell`)
      ends.set(name, end)
      return { org, day: time.day, meter, subject, by }
    })
    bySeq.set(seq, posted)
    all.push(...posted)
    if (kind !== 'day_assign' || corrects === null) continue
    for (const one of bySeq.get(corrects) ?? []) {
      const by = record.share === undefined ? one.by : shareOf(one.by, record.share)
      all.push({ ...one, day: null, by: -by }, { ...one, day: time.day, by })
    }
  }
  return all
}

/** Sums by whatever a posting is named. */
export function sumsBy(posted: readonly Posted[], name: (one: Posted) => string): Map<string, bigint> {
  const sums = new Map<string, bigint>()
  for (const one of posted) sums.set(name(one), (sums.get(name(one)) ?? 0n) + one.by)
  return new Map([...sums].filter(([, sum]) => sum !== 0n).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export const ownerOf = (org: string, ownerEpoch = 1): Owner => ({
  org: org as OrgId,
  ownerEpoch,
  custodian: null,
  workspace: null,
})

export const zonesOf = (org: string, ...zones: [from: string, zone: string][]): Zones =>
  new Map([[org as OrgId, zones.map(([from, zone]) => ({ from, zone }))]])
