import { afterEach, beforeEach, expect, test } from 'vitest'
import { Cellular, type CellularRules, KernelLinks } from '../../../agent/cellular/index.ts'
import type { LaneFactors } from '../../../agent/cellular/budget.ts'
import type { AskModems } from '../../../agent/cellular/mmcli.ts'
import type { OwnTraffic } from '../../../agent/cellular/ports.ts'
import type { Owner } from '../../../agent/metering/index.ts'
import type { Store } from '../../../agent/storage/index.ts'
import { decodeRecord } from '../../../cloud-sync/codec/index.ts'
import { type OrgId, type Subject, USAGE_QUALITY } from '../../../cloud-sync/contract/index.ts'
import { KernelFolder } from '../../support/kernel-folder.ts'
import { OWNER, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

const GUEST: Owner = { ...OWNER, org: 'borealis' as OrgId }
const RULES: CellularRules = {
  interfaces: null,
  counterBits: 64,
  sampleEveryMs: 10_000,
  hostAbsorbs: false,
  budget: null,
}
const SUBJECT = 'sensor:guest/main' as Subject
/** 300 bytes for the guest's sensor. */
const CLAIMED: OwnTraffic = {
  claims: [{ subject: SUBJECT, owner: GUEST, payload: 300n, packets: 3n }],
  protocol: 100n,
  idle: 50n,
}

let place: ReturnType<typeof temporaryFolder>
let clock: StoppedClock
let store: Store
let kernel: KernelFolder
let own: ReadonlyMap<string, OwnTraffic>
let factors: LaneFactors[]
beforeEach(() => {
  place = temporaryFolder()
  clock = new StoppedClock()
  store = testStore(place.folder, { clock })
  kernel = new KernelFolder()
  own = new Map()
  factors = []
})
afterEach(async () => {
  await store.stop()
  place.remove()
})

const meter = (rules: Partial<CellularRules> = {}, modems: AskModems | null = null): Cellular =>
  new Cellular({
    rules: { ...RULES, ...rules },
    kernel: new KernelLinks(kernel.root),
    modems,
    meter: store.cellular,
    now: () => store.now(),
    log: { info: () => undefined, warn: () => undefined },
    gateway: {
      host: () => OWNER,
      ownTraffic: () => own,
      onFactors: (to) => factors.push(to),
    },
  })

const set = (rx: number, tx: number, ifindex = 3): void => {
  kernel.set('wwan0', { ifindex, rx, tx, type: 'wwan' })
}
const registers = (): string[] =>
  store.reader
    .usage()
    .map(
      ({ org, subject, meter: name, end, billable }) =>
        `${org} ${subject} ${name} ${end} ${billable ? 'billed' : 'shown'}`,
    )

test('what passed is in the registers, billed once and shown by direction', async () => {
  set(1000, 500)
  const cellular = meter()
  await cellular.look()
  set(1700, 600)
  await cellular.look()
  expect(registers()).toEqual([
    'acme link:wwan0 cell.rx 700 shown',
    'acme link:wwan0 cell.tx 100 shown',
    'acme link:wwan0 cell.alloc 800 billed',
  ])
})

test('I8 a restart in the middle goes on where the last commit was', async () => {
  set(1000, 500)
  await meter().look()
  set(1700, 600)
  await meter().look()
  await store.stop()
  store = testStore(place.folder, { clock })
  set(1750, 600)
  await meter().look()
  expect(registers()).toContain('acme link:wwan0 cell.alloc 850 billed')
})

test('I9 other links never move a register', async () => {
  set(0, 0)
  const cellular = meter()
  await cellular.look()
  kernel.set('eth0', { ifindex: 2, rx: 10n ** 12n, tx: 10n ** 12n })
  kernel.set('tun0', { ifindex: 9, rx: 10n ** 9n, tx: 10n ** 9n })
  await cellular.look()
  expect(registers()).toEqual([])
})

test('I10 guests pay their payload and protocol, the host the rest, together the bytes of the link', async () => {
  set(0, 0)
  const cellular = meter()
  await cellular.look()
  own = new Map([['wwan0', CLAIMED]])
  set(600, 400)
  await cellular.look()
  const billed = registers().filter((register) => register.includes('cell.alloc'))
  expect(billed.sort()).toEqual([
    'acme link:wwan0 cell.alloc 600 billed',
    'borealis sensor:guest/main cell.alloc 400 billed',
  ])
})

test('I10 what went by another interface claims nothing of the cellular link', async () => {
  set(0, 0)
  const cellular = meter()
  await cellular.look()
  own = new Map([['eth0', CLAIMED]])
  set(1000, 0)
  await cellular.look()
  expect(registers().filter((register) => register.includes('cell.alloc'))).toEqual([
    'acme link:wwan0 cell.alloc 1000 billed',
  ])
})

test('what a link carried is its own: another one never pays for it, and it waits for its own counters', async () => {
  kernel.set('wwan1', { ifindex: 4, rx: 0, tx: 0, type: 'wwan' })
  set(0, 0)
  const cellular = meter()
  await cellular.look()
  own = new Map([['wwan1', CLAIMED]])
  set(1000, 0)
  await cellular.look()
  own = new Map()
  set(1500, 0)
  kernel.set('wwan1', { ifindex: 4, rx: 600, tx: 0, type: 'wwan' })
  await cellular.look()
  expect(registers().filter((register) => register.includes('cell.alloc'))).toEqual([
    'acme link:wwan0 cell.alloc 1500 billed',
    'borealis sensor:guest/main cell.alloc 400 billed',
    'acme link:wwan1 cell.alloc 200 billed',
  ])
})

test('records name the network that their bytes were counted on, and another one ends the interval', async () => {
  let network = { operator: '26201', state: 'home', access: 'lte' }
  const modems: AskModems = ([what]) => {
    const generic = {
      bearers: [],
      sim: '/SIM/0',
      state: 'connected',
      'access-technologies': [network.access],
    }
    if (what === '-L') return Promise.resolve({ 'modem-list': ['/Modem/0'] })
    if (what === '-i') return Promise.resolve({ sim: { properties: { iccid: '8949000000000000001' } } })
    const three = { 'operator-code': network.operator, 'registration-state': network.state }
    return Promise.resolve({ modem: { generic, '3gpp': three } })
  }
  const cellular = meter({}, modems)
  const pass = async (bytes: number): Promise<void> => {
    clock.pass(31_000)
    set(bytes, 0)
    await cellular.look()
  }
  await pass(0)
  await pass(100)
  // The radio access alone ends no interval so soon: modems change it all day long.
  network = { ...network, access: 'umts' }
  await pass(200)
  network = { operator: '23201', state: 'roaming', access: 'umts' }
  await pass(300)
  await pass(350)
  store.parts.ledger.closeAtNextCommit()
  await pass(360)
  const rows = store.database.prepare('SELECT bytes FROM usage_record ORDER BY seq').pluck().all()
  const told = (rows as Uint8Array[]).map(decodeRecord).map(({ src, registers: ends }) => {
    const alloc = ends.find(({ meter: name }) => name === 'cell.alloc')
    return [src?.iface, src?.iccid, src?.mccmnc, src?.roaming, src?.rat, alloc?.end]
  })
  expect(told).toEqual([
    ['wwan0', '8949000000000000001', '26201', false, 'lte', 300n],
    ['wwan0', '8949000000000000001', '23201', true, 'umts', 360n],
  ])
})

test('I8 a SIM is the subject, and another SIM ends the interval and begins its own registers', async () => {
  let iccid = '8949000000000000001'
  const modems: AskModems = ([what]) => {
    const generic = { bearers: [], sim: '/SIM/0', state: 'connected' }
    if (what === '-L') return Promise.resolve({ 'modem-list': ['/Modem/0'] })
    return Promise.resolve(what === '-i' ? { sim: { properties: { iccid } } } : { modem: { generic } })
  }
  set(0, 0)
  const cellular = meter({}, modems)
  await cellular.look()
  set(100, 0)
  await cellular.look()
  iccid = '8949000000000000002'
  clock.pass(31_000)
  await cellular.look()
  set(130, 0)
  await cellular.look()
  const billed = registers().filter((register) => register.includes('cell.alloc'))
  expect(billed.sort()).toEqual([
    'acme link:8949000000000000001 cell.alloc 100 billed',
    'acme link:8949000000000000002 cell.alloc 30 billed',
  ])
  const rows = store.database.prepare('SELECT bytes FROM usage_record ORDER BY seq').pluck().all()
  expect((rows as Uint8Array[]).map(decodeRecord).map(({ kind, event }) => [kind, event])).toEqual([
    ['interval', null],
    ['event', 'sim_swap'],
  ])
})

test('a modem plugged in again ends the interval, and the record says that a stretch may be missing', async () => {
  set(100, 0)
  const cellular = meter()
  await cellular.look()
  set(40, 2, 7)
  await cellular.look()
  const rows = store.database.prepare('SELECT bytes FROM usage_record ORDER BY seq').pluck().all()
  const [interval, event] = (rows as Uint8Array[]).map(decodeRecord)
  expect(event).toMatchObject({ kind: 'event', event: 'ctr_reset' })
  const partial = (1 << USAGE_QUALITY.PARTIAL) | (1 << USAGE_QUALITY.CTR_RESET)
  expect(interval?.registers.map(({ meter: name, end, q }) => [name, end, q & partial])).toEqual([
    ['cell.rx', 40n, partial],
    ['cell.tx', 2n, partial],
    ['cell.alloc', 42n, partial],
  ])
})

test('the data budget slows the lanes by what a SIM has used, also after a restart', async () => {
  const budget = { bytes: 1000, day: 1 }
  set(0, 0)
  const cellular = meter({ budget })
  await cellular.look()
  set(600, 0)
  await cellular.look()
  set(600, 150)
  await cellular.look()
  expect(factors.map(({ live, backfill }) => [live, backfill])).toEqual([
    [1, 1],
    [1, 1],
    [1, 0.25],
  ])
  factors = []
  const again = meter({ budget })
  await again.start(new AbortController().signal)
  await again.stop()
  expect(factors[0]).toEqual({ control: 1, live: 1, backfill: 0.25 })
})
