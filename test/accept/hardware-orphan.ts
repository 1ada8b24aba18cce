import { isAlive, openSite, spawnHost } from '../support/hardware-site.ts'
import { type Harness, scaled } from '../support/harness.ts'

const GONE_MS_MAX = 100
const GIVE_UP_MS = 5_000

/** From the parent's death by SIGKILL to the hardware process's own end, ms. */
async function outlivesMs(): Promise<number> {
  const site = await openSite({ devices: 3, everyMs: 100 })
  const host = spawnHost(site.config)
  try {
    const { pid } = await host.until((line) => line.pid !== undefined)
    if (typeof pid !== 'number') throw new Error('the hardware process did not start')
    await host.until((line) => line.readings !== undefined)
    host.kill('SIGKILL')
    const killed = performance.now()
    while (isAlive(pid) && performance.now() - killed < GIVE_UP_MS) {
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return performance.now() - killed
  } finally {
    host.kill('SIGKILL')
    await site.close()
  }
}

export const harness: Harness = {
  what: 'The hardware process ends within 100 ms of losing its parent (median), so that the next one finds the port free.',
  run: async (context) => {
    const times: number[] = []
    for (let run = 0; run < scaled(20, context.scale, 2); run += 1) {
      times.push(await outlivesMs())
      context.progress(`${times.at(-1)?.toFixed(0) ?? ''} ms`)
    }
    const sorted = times.toSorted((a, b) => a - b)
    const medianMs = sorted[Math.floor(sorted.length / 2)] ?? Infinity
    const mostMs = sorted.at(-1) ?? Infinity
    const failures: string[] = []
    if (medianMs >= GONE_MS_MAX) failures.push(`it outlived its parent by ${Math.round(medianMs)} ms`)
    if (mostMs >= GIVE_UP_MS) failures.push('once it did not end by itself')
    return {
      figures: { runs: times.length, medianMs: Math.round(medianMs), mostMs: Math.round(mostMs) },
      failures,
    }
  },
}
