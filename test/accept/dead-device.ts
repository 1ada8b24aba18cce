import { superviseHardware } from '../../hardware/index.ts'
import { openSite } from '../support/hardware-site.ts'
import { type Harness, scaled } from '../support/harness.ts'

const DEVICES = 10
const DEAD = 4
const EVERY_MS = 500
/** Let the first seconds of a process pass before counting. */
const SETTLE_MS = 3_000
const COST_MAX = 0.05
/** In a window of seconds one probe with the profile's whole time-out may weigh more than that. */
const ONE_PROBE_MS = 700

/** Polls that the nine others answered in `seconds`, and what the line says about it. */
async function answered(dead: boolean, seconds: number) {
  const site = await openSite({ devices: DEVICES, everyMs: EVERY_MS, baud: 9600 })
  const hardware = superviseHardware({
    config: site.config,
    log: { info: () => undefined, warn: () => undefined },
    onReadings: () => Promise.resolve(),
    onEvent: () => undefined,
  })
  try {
    await hardware.start(new AbortController().signal)
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const from = performance.now()
    // It dies in the middle of its work: the time until that is known counts too.
    if (dead) site.slaves.dead.add(DEAD)
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    const until = performance.now()
    const polls = site.slaves.log.filter(
      ({ address, atMs }) => address !== DEAD && atMs >= from && atMs < until,
    ).length
    const report = hardware.stats().report
    const device = report?.devices[`counter-${DEAD}`]
    return { polls, state: device?.state, line: report?.lines['port1'] }
  } finally {
    await hardware.stop()
    await site.close()
  }
}

export const harness: Harness = {
  what: 'One dead device of ten on a line of 9600 baud costs the nine others under 5 % of their polls.',
  run: async (context) => {
    const seconds = scaled(60, context.scale, 5)
    const expected = ((DEVICES - 1) * seconds * 1000) / EVERY_MS
    context.progress(`all ten answer, ${seconds} s`)
    const healthy = await answered(false, seconds)
    context.progress(`one of them dies, ${seconds} s`)
    const dying = await answered(true, seconds)
    const cost = 1 - dying.polls / healthy.polls
    const failures: string[] = []
    const oneProbe = (expected * ONE_PROBE_MS) / (seconds * 1000)
    if (cost >= COST_MAX && healthy.polls - dying.polls > oneProbe)
      failures.push(`the dead device cost the others ${(cost * 100).toFixed(1)} %`)
    if (healthy.polls < expected * 0.95) {
      failures.push(`with all alive only ${healthy.polls} of ${expected} polls were answered`)
    }
    if (dying.state === 'ok') failures.push('the dead device was not noticed')
    return {
      figures: {
        seconds,
        pollsExpected: expected,
        pollsAllAlive: healthy.polls,
        pollsOneDead: dying.polls,
        costPercent: Number((cost * 100).toFixed(2)),
        load: healthy.line?.load,
        probeShare: dying.line?.probeShare,
        deadDeviceState: dying.state,
      },
      failures,
    }
  },
}
