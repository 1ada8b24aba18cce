import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './temporary-folder.ts'

const PROGRAM = join(import.meta.dirname, '../peers/evidence-verifier.py')

interface PeersVerdict {
  readonly ok: boolean
  readonly line: number | null
  readonly what: string | null
  readonly facts: number
  readonly records: number
}

/** What a verifier in another language makes of the file; needs the peer `python-cryptography`. */
export function peersVerdict(file: Uint8Array, trust: string): PeersVerdict {
  const path = join(temporaryFolder(), 'evidence')
  writeFileSync(path, file)
  const output = execFileSync('/usr/bin/python3', [PROGRAM, path, trust], {
    encoding: 'utf8',
    timeout: 120_000,
  })
  return JSON.parse(output) as PeersVerdict
}
