import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, account, settled } from '../../agent/cli/demo/account.ts'
import { demoDevices, simulatedField } from '../../agent/cli/demo/field.ts'
import { demoLayout } from '../../agent/cli/demo/layout.ts'
import { Rig } from '../../agent/cli/demo/rig.ts'
import { type Harness, type Outcome, scaled } from '../support/harness.ts'

const KILLS = 200
const CUT_EVERY = 4
const PAUSE_MS_MAX = 2500
const DRAIN_MS_MAX = 120_000
/** So long the devices' silence lasts: longer than any drain. */
const SILENCE_MS = 600_000

const seeded = (seed: number) => (): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

async function drained(rig: Rig): Promise<Account> {
  const until = Date.now() + DRAIN_MS_MAX
  for (;;) {
    const found = await account(rig)
    if (settled(found) || Date.now() > until) return found
    await sleep(1000)
  }
}

async function killLoop(
  rig: Rig,
  kills: number,
  progress: (text: string) => void,
): Promise<Record<string, number>> {
  const random = seeded(20_261_121)
  const counts: Record<string, number> = { gateway: 0, hardware: 0, cloud: 0, cuts: 0 }
  const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1)
  let cut: Promise<void> = Promise.resolve()
  for (let kill = 1; kill <= kills; kill += 1) {
    await sleep(300 + random() * PAUSE_MS_MAX)
    if (kill % CUT_EVERY === 0) {
      count('cuts')
      cut = rig.cutLink(500 + random() * PAUSE_MS_MAX)
    }
    const victim = ['gateway', 'hardware', 'cloud'][Math.floor(random() * 3)] ?? 'gateway'
    count(victim)
    if (victim === 'gateway') await rig.killGateway()
    else if (victim === 'hardware') await rig.killHardware()
    else await rig.killCloud()
    if (kill % 10 === 0) progress(`${kill} of ${kills} kills`)
  }
  await cut
  await sleep(PAUSE_MS_MAX)
  return counts
}

/** Kills of every process and cuts of the link; the devices' own logs are the truth. */
export const harness: Harness = {
  what: 'SIGKILLs of gateway, hardware process and cloud, and link cuts: nothing lost, nothing twice, the bill agrees',
  async run({ scale, progress }): Promise<Outcome> {
    const dir = mkdtempSync(join(tmpdir(), 'headgate-kills-'))
    const devices = demoDevices({ address: '1' })
    const rig = new Rig({ layout: demoLayout(devices), field: simulatedField({ devices, dir }), dir })
    try {
      await rig.start()
      const kills = await killLoop(rig, scaled(KILLS, scale, 4), progress)
      await rig.quiet(SILENCE_MS)
      progress('draining')
      const found = await drained(rig)
      return { figures: { ...kills, ...found, linkBytes: rig.link.bytes() }, failures: failuresOf(found) }
    } finally {
      await rig.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  },
}

function failuresOf(found: Account): string[] {
  const failures: string[] = []
  if (found.answered === 0 || found.stored === 0) failures.push('nothing was measured')
  for (const what of ['lost', 'doubled', 'invented', 'mismatched'] as const) {
    if (found[what] > 0) failures.push(`${found[what]} ${what}: ${found.examples.join('; ')}`)
  }
  if (found.stored !== found.cloud) failures.push(`${found.stored} stored, ${found.cloud} in the cloud`)
  if (found.billed !== found.stored) failures.push(`${found.billed} billed, ${found.stored} stored`)
  if (!found.chainVerifies) failures.push('the chain does not verify')
  return failures
}
