import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, account, settled } from '../../agent/cli/demo/account.ts'
import { cloudReadings, postedSum } from '../../agent/cli/demo/cloud-facts.ts'
import { demoDevices, simulatedField } from '../../agent/cli/demo/field.ts'
import { demoLayout } from '../../agent/cli/demo/layout.ts'
import type { Answered } from '../../agent/cli/demo/reckoning.ts'
import { Rig } from '../../agent/cli/demo/rig.ts'
import { movableClock } from '../support/faketime.ts'
import { type Harness, type Outcome, scaled } from '../support/harness.ts'
import { havePeer } from '../support/peers.ts'

/** UTC; the gateway runs in Vienna, whose clocks change at 01:00 UTC on these two days. */
const PHASES = [
  ['a box without a battery', '1970-01-01 00:00:10'],
  ['from 1970 to 2026', '2026-11-21 12:00:00'],
  ['a day forward', '2026-11-22 12:00:00'],
  ['a day back', '2026-11-21 12:00:00'],
  ['into summer time', '2027-03-28 00:59:55'],
  ['out of summer time', '2027-10-31 00:59:55'],
] as const
const PHASE_SECONDS = 60
const SETTLE_MS_MAX = 60_000
/**
 * Intervals out of 0.5 to 1.5 of `every`: a jump that reaches the polling gives every device one at each jump, several
 * times this share. A machine that is busy with other things for a second gives a few, whatever the clock does.
 */
const ODD_SHARE_MAX = 0.01
/** Longer is no busy machine: polling stood still. Times `every`. */
const MOST = 10

/** Shares of `every` between two answers of a device, by the simulator's own clock, which nobody moves. */
function intervals(answers: readonly Answered[], everyMs: number): number[] {
  const last = new Map<string, number>()
  return answers.flatMap(({ device, at }) => {
    const before = last.get(device)
    last.set(device, at)
    return before === undefined ? [] : [(at - before) / everyMs]
  })
}

async function settledAccount(rig: Rig): Promise<Account> {
  const until = Date.now() + SETTLE_MS_MAX
  for (;;) {
    const found = await account(rig)
    if (settled(found) || Date.now() > until) return found
    await sleep(1000)
  }
}

export const harness: Harness = {
  what: 'The wall clock of a running gateway jumps: it polls in time, meters and sends on, and the bill still agrees',
  async run({ scale, progress }): Promise<Outcome> {
    if (!havePeer('faketime')) return { figures: {}, failures: [], skipped: 'libfaketime is not installed' }
    const dir = mkdtempSync(join(tmpdir(), 'headgate-jumps-'))
    const devices = demoDevices({ address: '1' }).slice(0, 4)
    const clock = movableClock(dir, PHASES[0][1])
    const gatewayEnv = { ...clock.env, TZ: 'Europe/Vienna' }
    const rig = new Rig({
      layout: demoLayout(devices),
      field: simulatedField({ devices, dir }),
      dir,
      gatewayEnv,
    })
    const failures: string[] = []
    try {
      await rig.start()
      for (const [what, time] of PHASES) {
        progress(what)
        clock.set(time)
        const before = await sums(rig)
        await sleep(Math.max(12, scaled(PHASE_SECONDS, scale)) * 1000)
        const after = await sums(rig)
        if (after.cloud <= before.cloud) failures.push(`${what}: no reading reached the cloud`)
        if (after.billed <= before.billed) failures.push(`${what}: nothing was metered`)
      }
      await rig.quiet(SETTLE_MS_MAX * 2)
      const shares = intervals(rig.field.answered() ?? [], devices[0]?.everyMs ?? 1)
      const found = await settledAccount(rig)
      const odd = shares.filter((share) => share < 0.5 || share > 1.5).length
      const [least, most] = [Math.min(...shares), Math.max(...shares)]
      const figures = { ...found, intervals: shares.length, odd, least, most }
      if (odd > shares.length * ODD_SHARE_MAX || most > MOST)
        failures.push(`${odd} of ${shares.length} intervals are odd, from ${least} to ${most} of every`)
      if (!settled(found) || found.doubled > 0)
        failures.push(`the account does not settle: ${found.examples.join('; ')}`)
      return { figures, failures }
    } finally {
      await rig.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  },
}

async function sums(rig: Rig): Promise<{ cloud: number; billed: number }> {
  const gateway = rig.layout.gateway
  const cloud = (await cloudReadings(rig.cloud(), gateway)).length
  return { cloud, billed: await postedSum(rig.cloud(), gateway, 'sensor.readings') }
}
