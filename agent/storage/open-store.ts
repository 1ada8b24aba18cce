import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Database } from 'better-sqlite3'
import type { Epoch, GatewayEvent, OrgId, PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import { ChangeStore } from './changes.ts'
import { ChannelBook } from './channels.ts'
import { CellularRecord } from './cellular.ts'
import { ClaimRecord } from './claim.ts'
import { openDatabase } from './database.ts'
import { EnforcedPolicy } from './enforced.ts'
import { recordEvent } from './events.ts'
import { Intake } from './intake.ts'
import { moveToBackfill } from './lanes.ts'
import { readMetaNumber } from './meta.ts'
import type { StoreOptions } from './options.ts'
import { SqliteOutbox } from './outbox.ts'
import { PolicyStore } from './policy/store.ts'
import { PolicyTimeKeeper } from './policy/time-keeper.ts'
import { Quota } from './quota.ts'
import { Dumps, LatestReadings, storeReader } from './reader.ts'
import { Retention, type RetentionLimits } from './retention.ts'
import { salvage } from './salvage.ts'
import { Store } from './store.ts'
import { beginStreams } from './streams.ts'
import type { Zones } from '../metering/index.ts'
import { UsageLedger, type UsageOptions } from './usage.ts'
import { lastWindowId } from './windows.ts'
import { Writer } from './writer.ts'

const HOUR_MS = 3_600_000
const DEFAULT_LIMITS: RetentionLimits = { bytes: 2 * 1024 ** 3, days: 400 }

const randomEpoch = (): Epoch => randomBytes(16).toString('hex') as Epoch

/**
 * Opens the gateway's store. Throws STORE_UNUSABLE, STORE_LOCKED, STORE_NEWER, STORE_UNSAFE or STORE_FAILED. What a power cut left open
 * is settled before it answers: the usage interval is ended, unbatched readings go to the back-fill lane.
 */
export function openStore(options: StoreOptions): Store {
  const { connection, lock, damaged } = openDatabase(options.folder, options.limits?.ballastBytes)
  try {
    return compose(connection, { lock, damaged, options })
  } catch (error) {
    connection.close()
    lock.release()
    throw error
  }
}

function compose(
  database: Database,
  { lock, damaged, options }: { lock: Store['parts']['lock']; damaged: string | null; options: StoreOptions },
): Store {
  const { folder, gateway, cloudConfigured } = options
  const newEpoch = options.newEpoch ?? randomEpoch
  const saved = damaged === null ? null : salvage(join(folder, damaged), database, newEpoch)
  const clock = options.clockFrom(readMetaNumber(database, 'trusted_ms'))
  const wallMs = (): number => clock.now().wallMs
  const channels = new ChannelBook(database)
  const { sw, cfg, intervalMs = HOUR_MS, trust } = options
  const inForce = usageRules(() => policy, options.organisation)
  const ledger = new UsageLedger(database, { gateway, clock, intervalMs, sw, cfg, inForce })
  const writer: Writer = new Writer({
    database,
    ...(options.windowMs !== undefined && { windowMs: options.windowMs }),
    onDamage: (error) => {
      store.damaged(error)
    },
    onRefused: (error) => {
      store.refused(error)
    },
  })
  const monoMs = (): number => clock.now().monoMs
  const timeKeeper = new PolicyTimeKeeper(database, { bootId: clock.bootId, monoMs })
  const { time } = timeKeeper
  const policy: PolicyStore = new PolicyStore(database, writer, {
    ...{ folder, gateway, trust, ledger, time, wallMs, monoMs },
  })
  if (saved?.usage === true) ledger.openEpochAtThisCommit(newEpoch())
  settle(database, {
    ledger,
    damaged: damaged === null ? null : { keptAs: damaged, ...saved },
    epoch: newEpoch(),
    at: wallMs(),
  })
  const changes = new ChangeStore(database, writer, { gateway, wallMs })
  const enforced = new EnforcedPolicy(database, writer)
  const runningMs = (): number => time.countedRunningMs()
  const intake = new Intake(database, { channels, ledger, wallMs, monoMs })
  const lastWindow = (): number => intake.lastId
  const { zones } = inForce
  const quota = new Quota(database, { ledger, clock, zones, writer, policy, lastWindow })
  // Before the readings: what a commit holds is judged by what was counted before it.
  for (const one of [quota, intake, timeKeeper]) writer.join(one)
  const outbox = new SqliteOutbox(database, writer, {
    context: { gateway, channels },
    ledger,
    monoMs,
    wallMs,
    runningMs,
    newEpoch,
    ...(options.liveDelayMs !== undefined && { liveDelayMs: options.liveDelayMs }),
  })
  const latest = new LatestReadings(database, channels)
  const limits = options.limits ?? DEFAULT_LIMITS
  // The latest trusted time is never too late, so nothing expires early by it.
  const trustedMs = (): number | null => clock.highWaterMs()
  const kept = { folder, limits, channels, cloudConfigured }
  const retention = new Retention(database, { ...kept, wallMs, trustedMs, runningMs })
  const dumps = new Dumps()
  const reader = storeReader(database, { folder, channels, ledger, latest, retention, dumps })
  const claim = new ClaimRecord(database, writer, ledger)
  const { organisation } = inForce
  const cellular = new CellularRecord(database, writer, { ledger, organisation })
  const opened = { database, lock, options, clock, writer, reader, claim, cellular }
  const upkeep = { latest, dumps, retention }
  const parts = { channels, ledger, quota, policy, changes, enforced, timeKeeper, intake, outbox, ...upkeep }
  const store = new Store({ ...opened, ...parts })
  return store
}

/** What the policy in force says about usage; asked for at every commit, so zones are gathered once for each policy. */
function usageRules(policy: () => PolicyStore, home: OrgId): UsageOptions['inForce'] {
  let zones: { readonly of: PolicySnapshot | null; readonly all: Zones } | undefined
  return {
    version: () => policy().version(),
    zones() {
      const of = policy().current()
      if (zones?.of !== of) zones = { of, all: zonesIn(of) }
      return zones.all
    },
    organisation: () => policy().current()?.owner.org ?? home,
    isDisputed: () => policy().current()?.owner.claim === 'disputed',
  }
}

const zonesIn = (snapshot: PolicySnapshot | null): Zones =>
  new Map(
    snapshot?.organisations.flatMap(({ id, zones = [] }) => (zones.length === 0 ? [] : [[id, zones]])) ?? [],
  )

/** What the last run left: a new database begins its streams, an open interval ends, old readings are back-fill. */
function settle(
  database: Database,
  {
    ledger,
    damaged,
    epoch,
    at,
  }: { ledger: UsageLedger; damaged: GatewayEvent['detail'] | null; epoch: Epoch; at: number },
): void {
  const done = database
    .transaction(() => {
      beginStreams(database, epoch)
      if (damaged !== null) recordEvent(database, { at, kind: 'store_damaged', detail: damaged })
      const lastCommit = database.prepare('SELECT at FROM window ORDER BY id DESC LIMIT 1').pluck().get()
      const recovered = ledger.recover(database, (lastCommit ?? null) as number | null)
      moveToBackfill(database, lastWindowId(database))
      return recovered
    })
    .immediate()
  done()
}
