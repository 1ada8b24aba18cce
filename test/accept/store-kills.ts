import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Harness, scaled } from '../support/harness.ts'
import { committedSome, judge, startStore, StoreTruth, type Verdict } from '../support/store-truth.ts'

/** Kills between two looks at the whole store: a fault is then found near its cause. */
const KILLS_A_FOLDER = 50

export const harness: Harness = {
  what: 'The storing process killed at any moment: no committed reading lost, none counted twice, no chain broken.',
  async run(context) {
    const kills = scaled(600, context.scale)
    const failures: string[] = []
    const sum = { kills: 0, committed: 0, stored: 0, records: 0, batches: 0, lost: 0, doubled: 0 }
    while (sum.kills < kills) {
      const count = Math.min(KILLS_A_FOLDER, kills - sum.kills)
      const { truth, verdict } = await round(count, sum.kills)
      sum.kills += count
      sum.committed += truth.committed.reduce((total, [first, last]) => total + last - first + 1, 0)
      sum.stored += verdict.readings
      sum.records += verdict.records
      sum.batches += truth.batches.size
      sum.lost += verdict.lost
      sum.doubled += verdict.doubled
      failures.push(...verdict.faults)
      context.progress(`${sum.kills} of ${kills} kills`)
    }
    if (sum.lost > 0) failures.push(`${sum.lost} committed readings were lost`)
    if (sum.doubled > 0) failures.push(`${sum.doubled} readings were stored twice`)
    if (sum.committed < 5 * kills)
      failures.push(`only ${sum.committed} readings were committed: nothing was tested`)
    return { figures: sum, failures }
  },
}

async function round(kills: number, seed: number): Promise<{ truth: StoreTruth; verdict: Verdict }> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-kills-'))
  const truth = new StoreTruth()
  try {
    for (let kill = 1; kill <= kills; kill += 1) {
      const child = await startStore(folder, truth)
      // Every fourth at once, in what the start itself does; the others over 150 ms, in steps that share no factor with
      // any timer inside, once something was committed.
      if (kill % 4 !== 0) await committedSome(truth, 3)
      await new Promise((resolve) => setTimeout(resolve, ((seed + kill) * 37) % 151))
      child.process.kill('SIGKILL')
      await child.ended
    }
    return { truth, verdict: await judge(folder, truth) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
