import { PolicySnapshot, type QuotaShare } from '../../cloud-sync/contract/index.ts'
import type { Owner } from '../../agent/metering/index.ts'
import type { Store, StoreOptions } from '../../agent/storage/index.ts'
import {
  ACME,
  GATEWAY,
  ownedReading,
  type ReadingOf,
  StoppedClock,
  temporaryFolder,
  testStore,
} from './store.ts'
import { PolicySigner } from './policy-signer.ts'

const DAY_MS = 86_400_000

/** The workspace of each device; `loose` is in none. Wall and crest are of two organisations. */
export const PLACES = {
  'wall-1': { org: ACME, workspace: 'wall' },
  'wall-2': { org: ACME, workspace: 'wall' },
  'crest-1': { org: 'borealis', workspace: 'crest' },
  loose: { org: ACME, workspace: null },
} as const
export type Placed = keyof typeof PLACES

/** A store under signed policies that limit workspaces. */
export class QuotaSite {
  readonly clock = new StoppedClock()
  store: Store
  readonly #place = temporaryFolder()
  readonly #signer = new PolicySigner()
  readonly #options: Partial<StoreOptions>
  #version = 0
  #epochs = 0

  constructor(options: Partial<StoreOptions> = {}) {
    this.#options = options
    this.store = this.#open()
  }

  /** `sensor.readings` of these workspaces, a month; in which zone ACME is billed. */
  async limit(limits: Readonly<Record<string, number>>, zone?: string): Promise<void> {
    this.#version += 1
    const outcome = await this.store.policy.apply(this.#signer.whole(policyOf(limits, this.#version, zone)))
    if (!outcome.applied) throw new Error(`refused: ${outcome.because}`)
    await this.look()
  }

  /** Commits, so that meters and limits are compared. */
  look(): Promise<void> {
    return this.store.writer.commitSoon()
  }

  async take(device: Placed, values: readonly number[], of: Partial<ReadingOf> = {}): Promise<void> {
    const { org, workspace } = PLACES[device]
    const owner = { org, workspace, ownerEpoch: 1, custodian: null } as Owner
    const found = this.#owners.get(device) ?? owner
    this.#owners.set(device, found)
    const taken = values.map((value) =>
      ownedReading(this.store, { device, value, takenAt: this.clock.wallMs + value, owner: found, ...of }),
    )
    await this.store.take(taken)
  }
  readonly #owners = new Map<Placed, Owner>()

  async reopen(): Promise<void> {
    await this.store.stop()
    this.store = this.#open()
  }

  pass(days: number): void {
    this.clock.pass(days * DAY_MS)
  }

  async remove(): Promise<void> {
    await this.store.stop()
    this.#place.remove()
  }

  #open(): Store {
    return testStore(this.#place.folder, {
      clock: this.clock,
      trust: this.#signer.root.publicKey,
      windowMs: 2,
      newEpoch: () => (++this.#epochs).toString(16).padStart(32, '0') as never,
      ...this.#options,
    })
  }
}

/** A policy with these limits. */
export function policyOf(
  limits: Readonly<Record<string, number>>,
  version: number,
  zone?: string,
): PolicySnapshot {
  const zones = zone === undefined ? [] : [{ from: '2020-01-01', zone }]
  const quotas = Object.entries(limits).map(
    ([workspace, limit]) => ({ workspace, meter: 'sensor.readings', period: 'month', limit }) as QuotaShare,
  )
  return PolicySnapshot.parse({
    v: 2,
    gateway: GATEWAY,
    version,
    issuedAt: 1_790_000_000_000 + version,
    owner: { org: ACME, ownerEpoch: 1 },
    organisations: [
      { id: ACME, name: ACME, ...(zone === undefined ? {} : { zones }) },
      { id: 'borealis', name: 'borealis' },
    ],
    members: [{ org: ACME, name: 'ana', role: 'owner', incarnation: 1 }],
    quotas,
    workspaces: [
      { id: 'wall', org: ACME, name: 'Wall' },
      { id: 'crest', org: 'borealis', name: 'Crest' },
    ],
    devices: Object.entries(PLACES).map(([id, { org, workspace }]) => ({
      id,
      org,
      workspace,
      ownerEpoch: 1,
    })),
    critical: [],
  })
}
