import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Harness, type HarnessContext, scaled } from '../support/harness.ts'
import { havePeer } from '../support/peers.ts'
import { CuttableDisk } from '../support/power.ts'
import { committedSome, judge, startStore, StoreTruth } from '../support/store-truth.ts'

const DISK_MEGABYTES = 64
/** Cuts of the negative control at full scale. */
const CONTROL_CUTS = 10

interface Sum {
  cuts: number
  committed: number
  lost: number
  doubled: number
  records: number
  damaged: number
  readonly faults: string[]
}

export const harness: Harness = {
  what: 'Power cut under the storing process: nothing it called committed is lost, with synchronous=FULL; with NORMAL some is.',
  async run(context) {
    if (!havePeer('loop'))
      return { figures: {}, failures: [], skipped: 'needs root, loop devices and mkfs.ext4' }
    const full = await cuts(scaled(50, context.scale), [], context)
    const control = await cuts(scaled(CONTROL_CUTS, context.scale, 2), ['--synchronous', 'NORMAL'], context)
    const failures = full.faults.slice(0, 20)
    if (full.lost > 0) failures.push(`${full.lost} committed readings were lost`)
    if (full.doubled > 0) failures.push(`${full.doubled} readings were stored twice`)
    if (full.damaged > 0) failures.push(`${full.damaged} files were damaged`)
    if (full.committed < full.cuts * 20) failures.push(`only ${full.committed} readings were committed`)
    if (control.lost === 0) failures.push('the negative control lost nothing: this harness could not fail')
    const { faults, ...figures } = full
    const { faults: controlFaults, ...controlFigures } = control
    return {
      figures: {
        full: { ...figures, faults: faults.length },
        normal: { ...controlFigures, faults: controlFaults.length },
      },
      failures,
    }
  },
}

async function cuts(count: number, args: readonly string[], context: HarnessContext): Promise<Sum> {
  const sum: Sum = { cuts: 0, committed: 0, lost: 0, doubled: 0, records: 0, damaged: 0, faults: [] }
  const disk = new CuttableDisk(DISK_MEGABYTES)
  const folder = join(disk.path, 'data')
  try {
    let truth = new StoreTruth()
    for (; sum.cuts < count; sum.cuts += 1) {
      const child = await startStore(folder, truth, args)
      await committedSome(truth, 5)
      await new Promise((resolve) => setTimeout(resolve, 100 + ((sum.cuts * 37) % 151)))
      // Stopped first: an fsync that straddles the cut could return 0, which is a fault of the recipe (reliability.md 5).
      child.process.kill('SIGSTOP')
      disk.cut()
      child.process.kill('SIGKILL')
      await child.ended
      disk.restore()
      const verdict = await judge(folder, truth)
      sum.lost += verdict.lost
      sum.doubled += verdict.doubled
      sum.records += verdict.records
      sum.committed += truth.committed.reduce((total, [first, last]) => total + last - first + 1, 0)
      sum.faults.push(...verdict.faults)
      if (existsSync(join(folder, 'damaged-1.db'))) sum.damaged += 1
      // Each cut is judged by what was said since the last one; what was there before is judged by its registers.
      const { starts } = truth
      truth = new StoreTruth()
      truth.starts = starts
      if (sum.damaged > 0 || verdict.lost > 0) rmSync(folder, { recursive: true })
      context.progress(`${args.at(-1) ?? 'FULL'}: ${sum.cuts + 1} of ${count} cuts, ${sum.lost} lost`)
    }
    return sum
  } finally {
    disk.remove()
  }
}
