import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HostLine, openSite, spawnHost } from '../support/hardware-site.ts'
import type { Harness } from '../support/harness.ts'
import { havePeer } from '../support/peers.ts'

const DEVICES = 5
const EVERY_MS = 600
const LEAST = 0.5
const MOST = 1.5
/** A stop of the judge's own process as long as this tells nothing about the gateway. */
const STALL_MS = 100
const LOOK_MS = 20

/** Where Debian keeps it on the machines we know. */
const LIBRARIES = ['x86_64-linux-gnu', 'aarch64-linux-gnu', 'arm-linux-gnueabihf'].map(
  (triplet) => `/usr/lib/${triplet}/faketime/libfaketime.so.1`,
)

/** What the wall clock shows when each phase begins; time goes on from there. */
const PHASES: readonly { what: string; from: string }[] = [
  { what: 'a box without a battery', from: '1970-01-02T00:00:05Z' },
  { what: 'from 1970 to 2026', from: '2026-03-15T12:00:00Z' },
  { what: 'a day forward', from: '2026-03-16T12:00:00Z' },
  { what: 'a day back', from: '2026-03-15T12:00:00Z' },
  { what: 'into summer time', from: '2026-03-29T00:59:59Z' },
  { what: 'out of summer time', from: '2026-10-25T00:59:59Z' },
]

/** Wall clocks on the readings of each phase, to prove that the process did see the jump. */
function seenIn(lines: readonly HostLine[], from: string, seconds: number): number {
  const start = Date.parse(from)
  const taken = lines.flatMap(({ readings = [] }) => readings.map(({ takenAt }) => takenAt))
  return taken.filter((at) => at >= start - 1000 && at <= start + (seconds + 5) * 1000).length
}

export const harness: Harness = {
  what: 'No interval between polls leaves 0.5 to 1.5 times `every` while the wall clock jumps and summer time comes and goes.',
  run: async (context) => {
    const library = LIBRARIES.find((path) => existsSync(path))
    if (library === undefined || !havePeer('faketime')) {
      return { figures: {}, failures: [], skipped: 'libfaketime is not installed' }
    }
    const seconds = Math.max(2.5, 30 * context.scale)
    const folder = mkdtempSync(join(tmpdir(), 'headgate-faketime-'))
    const file = join(folder, 'offset')
    const set = (from: string): void => {
      const offset = (Date.parse(from) - Date.now()) / 1000
      writeFileSync(file, `${offset < 0 ? '' : '+'}${offset.toFixed(3)}\n`)
    }
    const [first] = PHASES
    if (first !== undefined) set(first.from)
    const stalls = new OwnStalls()
    const site = await openSite({ devices: DEVICES, everyMs: EVERY_MS })
    const host = spawnHost(site.config, {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      TZ: 'Europe/Vienna',
    })
    try {
      await host.until((line) => line.readings !== undefined, 30_000)
      for (const { what, from } of PHASES) {
        context.progress(`${what}, ${seconds} s`)
        set(from)
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
      }
    } finally {
      // A signal can deadlock a process under libfaketime: only SIGKILL is certain.
      host.kill('SIGKILL')
      await host.gone
      await site.close()
      rmSync(folder, { recursive: true, force: true })
      stalls.end()
    }
    return judge(site.slaves.log, stalls, (from) => seenIn(host.lines, from, seconds))
  },
}

/** When the process of the devices, which is also the judge, did not run: it cannot say what happened meanwhile. */
class OwnStalls {
  readonly #stalls: { fromMs: number; toMs: number }[] = []
  readonly #timer: NodeJS.Timeout
  #lastMs = performance.now()

  constructor() {
    this.#timer = setInterval(() => {
      const nowMs = performance.now()
      if (nowMs - this.#lastMs > STALL_MS) this.#stalls.push({ fromMs: this.#lastMs, toMs: nowMs })
      this.#lastMs = nowMs
    }, LOOK_MS)
  }

  end(): void {
    clearInterval(this.#timer)
  }

  within(fromMs: number, toMs: number): boolean {
    return this.#stalls.some((stall) => stall.fromMs <= toMs && stall.toMs >= fromMs)
  }
}

/** By the devices' own monotonic log; the gateway's clocks have no say in it. */
function judge(
  log: readonly { address: number; atMs: number }[],
  stalls: OwnStalls,
  seen: (from: string) => number,
) {
  const shares: number[] = []
  let notJudged = 0
  for (let address = 1; address <= DEVICES; address += 1) {
    const times = log.filter((entry) => entry.address === address).map(({ atMs }) => atMs)
    for (const [index, atMs] of times.entries()) {
      const before = times[index - 1]
      if (before === undefined) continue
      if (stalls.within(before, atMs)) notJudged += 1
      else shares.push((atMs - before) / EVERY_MS)
    }
  }
  const outside = shares.filter((share) => share < LEAST || share > MOST)
  const failures = PHASES.filter(({ from }) => seen(from) === 0).map(
    ({ what }) => `no reading shows that the clock went ${what}`,
  )
  if (outside.length > 0) {
    const worst = outside.map((share) => share.toFixed(2)).join(', ')
    failures.push(`${outside.length} of ${shares.length} intervals were ${worst} times what they should be`)
  }
  if (shares.length < notJudged) failures.push('this machine stood still too often to judge')
  return {
    figures: {
      intervals: shares.length,
      notJudged,
      leastShare: Number(Math.min(...shares).toFixed(3)),
      mostShare: Number(Math.max(...shares).toFixed(3)),
      outside: outside.length,
      readingsInPhase: Object.fromEntries(PHASES.map(({ what, from }) => [what, seen(from)])),
    },
    failures,
  }
}
