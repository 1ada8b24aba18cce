import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChannelName, DeviceId, GatewayId, OrgId, SensorName } from '../../cloud-sync/contract/index.ts'
import { sensorSubject } from '../../cloud-sync/contract/index.ts'
import type { Moment, Owner } from '../../agent/metering/index.ts'
import {
  openStore,
  type OwnedReading,
  type Store,
  type StoreClock,
  type StoreOptions,
} from '../../agent/storage/index.ts'

export const GATEWAY = 'GW-000123' as GatewayId
export const ACME = 'acme' as OrgId

/** A clock that stands until a test moves it. */
export class StoppedClock {
  bootId = 'boot-1'
  monoMs = 1_000_000
  wallMs = Date.UTC(2026, 10, 21, 12)
  clock: Moment['clock'] = 'synced'

  now(): Moment {
    const { monoMs, wallMs, clock } = this
    const day = clock === 'unsynced' ? null : new Date(wallMs).toISOString().slice(0, 10)
    return { monoMs, wallMs, clock, maxErrMs: 0, day, trustedMs: day === null ? null : wallMs }
  }

  highWaterMs(): number | null {
    return this.clock === 'unsynced' ? null : this.wallMs
  }

  /** Both clocks go on. */
  pass(ms: number): void {
    this.monoMs += ms
    this.wallMs += ms
  }
}

/** A folder that goes with the test. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-store-'))
  return {
    folder,
    remove: () => {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A store on a real file, with a commit window short enough for tests. */
export function testStore(
  folder: string,
  { clock = new StoppedClock(), ...options }: Partial<StoreOptions> & { clock?: StoppedClock } = {},
): Store {
  return openStore({
    folder,
    gateway: GATEWAY,
    clockFrom: () => clock,
    trust: null,
    cloudConfigured: true,
    organisation: ACME,
    sw: '0.1.0',
    cfg: 'test',
    windowMs: 5,
    liveDelayMs: 0,
    onDamage: (error) => {
      throw error
    },
    ...options,
  })
}

export const OWNER: Owner = { org: ACME, ownerEpoch: 1, custodian: null, workspace: null }

export interface ReadingOf {
  readonly device?: string
  readonly channel?: string
  readonly value?: number | bigint | string | null
  readonly takenAt?: number
  readonly owner?: Owner
  readonly payloadBytes?: number
  readonly alarm?: boolean
}

/** A good, direct reading on a grid of 0.01. */
export function ownedReading(store: Store, of: ReadingOf = {}): OwnedReading {
  const { value = 1, takenAt = Date.UTC(2026, 10, 21, 12), owner = OWNER, payloadBytes = 4 } = of
  const device = (of.device ?? 'tilt-north') as DeviceId
  const sensor = 'main' as SensorName
  const { org, ownerEpoch } = owner
  const def = store.define({
    device,
    sensor,
    channel: (of.channel ?? 'x') as ChannelName,
    unit: 'deg',
    resolution: { step: 1, digits: 2 },
    derived: false,
    org,
    ownerEpoch,
  })
  const quality = value === null ? 'bad' : 'good'
  const reason = value === null ? 'timeout' : null
  const reading = { channel: def.no, takenAt, value, quality, reason } as const
  const countable = { value, quality, derived: false, payloadBytes } as const
  const alarm = of.alarm === true
  return { reading, def, subject: sensorSubject(device, sensor), owner, countable, alarm }
}

/** Real monotonic time with a wall clock that runs 3,600 times as fast: hours pass, and are packed, in seconds. */
export function hastyClock(highWaterMs: number | null): StoreClock {
  const start = Number(process.hrtime.bigint() / 1_000_000n)
  const base = highWaterMs ?? Date.UTC(2026, 10, 21)
  const look = (): { monoMs: number; wallMs: number } => {
    const monoMs = Number(process.hrtime.bigint() / 1_000_000n)
    return { monoMs, wallMs: base + (monoMs - start) * 3600 }
  }
  return {
    bootId: `boot-${String(process.pid)}`,
    now: () => {
      const { monoMs, wallMs } = look()
      return {
        monoMs,
        wallMs,
        clock: 'synced',
        maxErrMs: 0,
        day: new Date(wallMs).toISOString().slice(0, 10),
        trustedMs: wallMs,
      }
    },
    highWaterMs: () => look().wallMs,
  }
}
