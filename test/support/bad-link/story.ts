import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, account, settled } from '../../../agent/cli/demo/account.ts'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { demoLayout } from '../../../agent/cli/demo/layout.ts'
import { Rig } from '../../../agent/cli/demo/rig.ts'
import { movableClock } from '../faketime.ts'
import type { Outcome } from '../harness.ts'
import { havePeer } from '../peers.ts'
import { BadLink, FAIR, type Weather } from './link.ts'
import { disagreements, setPrices } from './sums.ts'

const SETTLE_MS_MAX = 120_000
const DEVICES = 4
/** Below this scale nothing is killed: each start takes seconds. */
const KILLS_FROM = 0.1
/** Real packets are dropped where this queue is full; only in a namespace, where it is nobody else's. */
const NARROW = 'tc qdisc replace dev lo root tbf rate 400kbit burst 1600 limit 6000'.split(' ')
const WIDE = 'tc qdisc del dev lo root'.split(' ')

interface Phase {
  readonly what: string
  /** At full scale, s. */
  readonly seconds: number
  readonly weather?: Weather
  /** Wall clock of the gateway, UTC. */
  readonly clock?: string
  readonly isCut?: true
  readonly isNarrow?: true
  readonly kills?: 'gateway' | 'cloud'
}

const POOR: Weather = { delayMs: [40, 600], loss: 0.1, breaks: 0.005 }
const PHASES: readonly Phase[] = [
  {
    what: 'a slow link with loss, a box without a battery',
    seconds: 30,
    weather: POOR,
    clock: '1970-01-01 00:00:10',
  },
  { what: 'an outage, and the cloud is killed in it', seconds: 25, isCut: true, kills: 'cloud' },
  { what: 'a narrow link that drops packets', seconds: 30, isNarrow: true, clock: '2026-11-21 12:00:00' },
  { what: 'a link that breaks', seconds: 30, weather: { delayMs: [20, 200], loss: 0.02, breaks: 0.05 } },
  { what: 'an outage, and the gateway is killed in it', seconds: 25, isCut: true, kills: 'gateway' },
  { what: 'years ahead over a slow link', seconds: 30, weather: POOR, clock: '2031-03-30 00:59:50' },
  { what: 'back again', seconds: 20, clock: '2026-11-22 12:00:00', weather: POOR },
]

interface Told {
  readonly scale: number
  /** Nobody else uses loopback here. */
  readonly isOwnNetwork: boolean
  readonly random: () => number
  readonly progress: (text: string) => void
}

interface Scene {
  readonly rig: Rig
  readonly link: BadLink
  readonly clock: ReturnType<typeof movableClock> | undefined
}

/** Minutes of a gateway and a cloud, each a process, on a bad link. */
export async function tell(told: Told): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'headgate-bad-link-'))
  const devices = demoDevices({ address: '1' }).slice(0, DEVICES)
  const clock = havePeer('faketime') ? movableClock(dir, '1970-01-01 00:00:10') : undefined
  let link: BadLink | undefined
  const rig = new Rig({
    ...{ dir, layout: demoLayout(devices), field: simulatedField({ devices, dir }) },
    link: (port) => (link = new BadLink(port, told.random)),
    ...(clock !== undefined && { gatewayEnv: clock.env }),
  })
  try {
    await rig.start()
    if (link === undefined) throw new Error('the rig has no link')
    await setPrices(rig)
    for (const phase of PHASES) await play(phase, { rig, link, clock }, told)
    link.weather = FAIR
    told.progress('settling')
    await rig.quiet(SETTLE_MS_MAX * 2)
    const { found, differ } = await agreed(rig)
    const { isOwnNetwork } = told
    const figures = { ...found, link: link.counts, isOwnNetwork, jumps: clock !== undefined }
    return { figures, failures: [...faultsOf(found), ...differ] }
  } finally {
    await rig.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function play(phase: Phase, { rig, link, clock }: Scene, told: Told): Promise<void> {
  const isNarrow = phase.isNarrow === true && told.isOwnNetwork
  told.progress(phase.what)
  if (phase.clock !== undefined) clock?.set(phase.clock)
  link.weather = phase.weather ?? FAIR
  if (phase.isCut === true) link.cut()
  if (isNarrow) run(NARROW)
  if (told.scale >= KILLS_FROM) await kill(rig, phase.kills)
  await sleep(Math.max(500, phase.seconds * told.scale * 1000))
  if (isNarrow) run(WIDE)
  link.mend()
}

async function kill(rig: Rig, what: Phase['kills']): Promise<void> {
  if (what === 'cloud') await rig.killCloud()
  if (what === 'gateway') await rig.killGateway()
}

function faultsOf(found: Account): string[] {
  return [
    ...(settled(found) && found.doubled === 0 ? [] : [`never settled: ${JSON.stringify(found)}`]),
    ...(found.billed === 0 ? ['nothing was billed'] : []),
    ...(found.chainVerifies ? [] : ['the chain does not verify']),
  ]
}

/** Asks until everything arrived and agrees, or it has been long enough. */
async function agreed(rig: Rig): Promise<{ found: Account; differ: string[] }> {
  const until = Date.now() + SETTLE_MS_MAX
  for (;;) {
    const found = await account(rig)
    const differ = settled(found) ? await disagreements(rig) : []
    if ((settled(found) && differ.length === 0) || Date.now() > until) return { found, differ }
    await sleep(500)
  }
}

function run([program = '', ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}
