import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { testWith } from '../../support/peers.ts'
import { judge, StoreTruth } from '../../support/store-truth.ts'
import { temporaryFolder } from '../../support/store.ts'

const CHILD = join(import.meta.dirname, '../../support/store-child.ts')

testWith('strace')(
  'after an I/O error the process ends; the next start checks the file, keeps it whole and loses nothing committed',
  async () => {
    const place = temporaryFolder()
    const truth = new StoreTruth()
    try {
      // From the 60th fsync on the disk fails: well after the start, in the middle of commits.
      const inject = ['-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO:when=60+']
      const command = [process.execPath, CHILD, '--folder', place.folder]
      const child = spawn('strace', ['-f', '-o', '/dev/null', ...inject, ...command], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const [said] = await Promise.all([text(child.stdout), once(child, 'exit')])
      const lines = said.trim().split('\n')
      expect(lines.at(-1)).toMatch(/^damage SqliteError/)
      for (const line of lines.slice(0, -1)) truth.hear(line)
      expect(truth.committed.length).toBeGreaterThan(2)
      expect(existsSync(join(place.folder, 'suspect'))).toBe(true)
      expect(await judge(place.folder, truth)).toMatchObject({ lost: 0, doubled: 0, faults: [] })
      expect(readdirSync(place.folder)).not.toContain('suspect')
      expect(readdirSync(place.folder)).not.toContain('damaged-1.db')
    } finally {
      place.remove()
    }
  },
  60_000,
)
