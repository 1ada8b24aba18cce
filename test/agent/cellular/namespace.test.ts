import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect } from 'vitest'
import { testWith } from '../../support/peers.ts'

const CHILD = resolve(import.meta.dirname, '../../support/cellular-namespace-child.ts')

interface Account {
  readonly truth: number
  readonly ofFirstSim: number
  readonly bySim: Readonly<Record<string, number>>
  readonly partial: number
  readonly first: number
  readonly second: number
  readonly office: number
}

testWith('network namespaces')(
  'I8 what is metered on a real kernel is what the kernel counted, over re-plug, SIM swap and reboot',
  { timeout: 120_000 },
  () => {
    const root = mkdtempSync(join(tmpdir(), 'headgate-netns-'))
    mkdirSync(join(root, 'sys'))
    try {
      // The mount lives in the mount namespace of the child and ends with it.
      const inside = 'mount -t sysfs none "$1/sys" && exec "$2" "$3" "$1"'
      const args = ['-n', '-m', 'sh', '-c', inside, 'sh', root, process.execPath, CHILD]
      const account = JSON.parse(
        execFileSync('unshare', args, { encoding: 'utf8', timeout: 50_000 }),
      ) as Account
      const { truth, ofFirstSim, bySim, partial, first, second, office } = account
      expect(ofFirstSim).toBeGreaterThan(30 * 200)
      expect(bySim).toEqual({ 'SIM-1': ofFirstSim, 'SIM-2': truth - ofFirstSim })
      expect(second).not.toBe(first)
      // Nothing was missed, but the meter cannot know: both ends of a counter are flagged.
      expect(partial).toBe(2)
      // I9: ten times as much passed beside it.
      expect(office).toBeGreaterThan(truth)
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  },
)
