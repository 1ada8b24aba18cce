import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EvidenceLine, LineOf } from '../../cloud-sync/evidence/lines.ts'
import { forged, linesOf, replaced, verified } from '../support/evidence-file.ts'
import { seededNumbers } from '../support/evidence-world.ts'
import { type Harness, type HarnessContext, type Outcome, scaled } from '../support/harness.ts'
import { type FilledCloud, fillCloud, type TamperedLedger, tamperedLedger } from './tampering/filled-cloud.ts'

const TRIALS = 10_000
const SEED = 20_261_122
/** Of ten trials each. */
const PARTS = { line: 4, forgery: 1, record: 1, message: 1, anywhere: 3 } as const
type Kind = keyof typeof PARTS
const FAILURES_SHOWN_MAX = 20

export const harness: Harness = {
  what: 'Any flipped bit of a stored record, of a stored message or of an evidence file is caught and located; elsewhere in the database it changes no figure.',
  async run(context) {
    const folder = mkdtempSync(join(tmpdir(), 'headgate-tamper-'))
    try {
      const filled = await fillCloud(folder)
      const ledger = await tamperedLedger(filled)
      return await tamper(filled, ledger, context)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

interface Trial {
  readonly random: (below: number) => number
  readonly filled: FilledCloud
  readonly ledger: TamperedLedger
  readonly lines: readonly EvidenceLine[]
}

/** A sentence where something went unnoticed; else what came of it, to be counted. */
type Judged = { readonly missed: string } | { readonly counted: 'located' | 'caught' | 'harmless' }

async function tamper(
  filled: FilledCloud,
  ledger: TamperedLedger,
  { scale, progress }: HarnessContext,
): Promise<Outcome> {
  const trials = scaled(TRIALS, scale, 40)
  const random = seededNumbers(SEED)
  const lines = linesOf(filled.evidence)
  const kinds = (Object.keys(PARTS) as Kind[]).flatMap((kind) => Array<Kind>(PARTS[kind]).fill(kind))
  const counts: Record<string, number> = {}
  const failures: string[] = []
  for (let trial = 0; trial < trials; trial += 1) {
    const kind = kinds[trial % kinds.length] ?? 'line'
    const judged = await TRIED[kind]({ random, filled, ledger, lines })
    const name = `${kind} ${'missed' in judged ? 'missed' : judged.counted}`
    counts[name] = (counts[name] ?? 0) + 1
    if ('missed' in judged && failures.length < FAILURES_SHOWN_MAX)
      failures.push(`${trial}: ${judged.missed}`)
    if (trial % 500 === 499) progress(`${trial + 1} of ${trials}: ${JSON.stringify(counts)}`)
  }
  const { evidence, database, records } = filled
  const sizes = { evidenceBytes: evidence.length, databaseBytes: database.length, records: records.length }
  return { figures: { trials, ...sizes, ...counts }, failures }
}

const TRIED: Readonly<Record<Kind, (trial: Trial) => Promise<Judged>>> = {
  line: flipInFile,
  forgery: flipAndForge,
  record: (trial) => flipInStored(trial, 'records'),
  message: (trial) => flipInStored(trial, 'messages'),
  anywhere: flipAnywhere,
}

function flipped(bytes: Uint8Array, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ (1 << bit)
  return copy
}

/** One bit of an evidence file, anywhere. */
async function flipInFile({ random, filled: { evidence, trust } }: Trial): Promise<Judged> {
  const [at, bit] = [random(evidence.length), random(8)]
  const { fault } = await verified(flipped(evidence, at, bit), { trust })
  const line = evidence.subarray(0, at).reduce((count, byte) => count + (byte === 10 ? 1 : 0), 1)
  const [said, what] = [fault?.line, fault?.what]
  return said === line
    ? { counted: 'located' }
    : { missed: `byte ${at}, bit ${bit} of the evidence, line ${line}: ${said ?? 'no fault'} ${what ?? ''}` }
}

/** One bit of a gateway's message, by somebody who has the cloud's own key and makes everything around it anew. */
async function flipAndForge({ random, filled, lines }: Trial): Promise<Judged> {
  const { trust, signing } = filled
  const batches = lines.flatMap((line, index) => (line.t === 'batch' ? [{ line, index }] : []))
  const { line, index } = batches[random(batches.length)] ?? { line: lines[0] as LineOf<'batch'>, index: 0 }
  const message = Buffer.from(line.message, 'base64')
  const bad = flipped(message, random(message.length), random(8)).toString('base64')
  const { fault } = await verified(
    forged(replaced(index, { ...line, message: bad }, lines), trust, signing),
    { trust },
  )
  const seq = fault?.seq ?? 0
  return fault?.line === index + 1 && seq >= line.first && seq <= line.last
    ? { counted: 'located' }
    : { missed: `a forged message ${line.first} to ${line.last}: ${JSON.stringify(fault)}` }
}

/** One bit of the bytes of a record, or of a message, in the database file. */
async function flipInStored({ random, filled, ledger }: Trial, of: 'records' | 'messages'): Promise<Judged> {
  const stored = filled[of][random(filled[of].length)]
  if (stored === undefined) return { missed: `no ${of} were found in the file` }
  const at = stored.offset + random(stored.length)
  const { faults } = await ledger.verifiedWith(flipped(filled.database, at, random(8)))
  const [fault] = faults
  const isThere =
    fault?.epoch === stored.epoch &&
    fault.seq >= stored.first &&
    fault.seq <= stored.last &&
    faults.length === 1
  return isThere
    ? { counted: 'located' }
    : { missed: `${of} ${stored.first} to ${stored.last}, byte ${at}: ${JSON.stringify(faults)}` }
}

/** One bit of the database file, anywhere. */
async function flipAnywhere({ random, filled, ledger }: Trial): Promise<Judged> {
  const [at, bit] = [random(filled.database.length), random(8)]
  const { faults, figures } = await ledger.verifiedWith(flipped(filled.database, at, bit))
  if (faults.length > 0) return { counted: 'caught' }
  return figures === ledger.figures
    ? { counted: 'harmless' }
    : { missed: `byte ${at}, bit ${bit} of the database changed figures: ${figures.slice(0, 300)}` }
}
