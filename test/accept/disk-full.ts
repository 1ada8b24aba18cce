import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Harness, HarnessContext, Outcome } from '../support/harness.ts'
import { havePeer } from '../support/peers.ts'
import { judge, startStore, StoreTruth } from '../support/store-truth.ts'

const DISK_MEGABYTES = 24
/** Small ones for a small disk; the readings do not compress, so the disk is soon full. */
const LIMITS = { bytes: 1024 ** 3, days: 400, ballastBytes: 1024 * 1024, reserveBytes: 2 * 1024 * 1024 }
const ARGS = ['--limits', JSON.stringify(LIMITS), '--noise', '--batch', '200']

export const harness: Harness = {
  what: 'A disk that others fill: no crash, only declared drops, usage intact, storing again when space returns.',
  async run(context) {
    if (!havePeer('root')) return { figures: {}, failures: [], skipped: 'needs root to mount a small tmpfs' }
    const mount = mkdtempSync(join(tmpdir(), 'headgate-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEGABYTES}m`, 'tmpfs', mount])
    try {
      return await fill(mount, context)
    } finally {
      execFileSync('umount', [mount])
      rmSync(mount, { recursive: true, force: true })
    }
  },
}

async function fill(mount: string, context: HarnessContext): Promise<Outcome> {
  const folder = join(mount, 'data')
  const truth = new StoreTruth()
  const failures: string[] = []
  const child = await startStore(folder, truth, ARGS)
  const rounds = Math.max(1, Math.round(5 * context.scale))
  const committedWhile = async (ms: number): Promise<number> => {
    const before = committed(truth)
    await new Promise((resolve) => setTimeout(resolve, ms))
    return committed(truth) - before
  }
  const figures = {
    rounds,
    committedBefore: await committedWhile(1500),
    committedFull: 0,
    committedAfter: 0,
    refusals: 0,
  }
  for (let round = 1; round <= rounds; round += 1) {
    const filler = join(mount, 'filler')
    fillUp(filler)
    figures.committedFull += await committedWhile(4000)
    fillUp(filler)
    rmSync(filler)
    const after = await committedWhile(2500).then((count) => (count > 0 ? count : committedWhile(10_000)))
    figures.committedAfter += after
    if (after === 0) failures.push(`round ${round}: nothing was stored after space had returned`)
    if (child.process.exitCode !== null) failures.push(`round ${round}: the process ended`)
    context.progress(`round ${round} of ${rounds}: ${committed(truth)} readings, ${truth.refusals} refusals`)
  }
  figures.refusals = truth.refusals
  child.process.kill('SIGTERM')
  await child.ended
  const verdict = await judge(folder, truth)
  const notSent = Object.values(verdict.dropped.lost).reduce((sum, count) => sum + count, 0)
  const dropped = verdict.dropped.expired + notSent
  failures.push(...verdict.faults.slice(0, 10))
  if (verdict.lost > dropped) failures.push(`${verdict.lost} readings are gone, ${dropped} were declared`)
  if (verdict.doubled > 0) failures.push(`${verdict.doubled} readings were stored twice`)
  if (dropped === 0) failures.push('nothing was dropped: the disk was never full')
  const { readings, records, lost } = verdict
  return {
    figures: {
      ...figures,
      readings,
      records,
      gone: lost,
      droppedSent: verdict.dropped.expired,
      droppedNotSent: notSent,
    },
    failures,
  }
}

const committed = (truth: StoreTruth): number =>
  truth.committed.reduce((sum, [first, last]) => sum + last - first + 1, 0)

/** Takes every byte there is. */
function fillUp(path: string): void {
  const file = openSync(path, 'a')
  const piece = Buffer.alloc(64 * 1024)
  try {
    for (let size = piece.length; size >= 1; ) {
      try {
        writeSync(file, piece, 0, size)
      } catch {
        // Full for this size: the rest goes in smaller pieces.
        size = size >> 1
      }
    }
  } finally {
    closeSync(file)
  }
}
