import { createReadStream } from 'node:fs'
import { type EvidenceReport, verifyEvidence } from '../../../cloud-sync/evidence/index.ts'
import { AgentError } from '../../errors.ts'
import { type Answer, table } from '../output.ts'
import { createProgress } from '../progress.ts'
import { type EvidenceOptions, evidenceFrom } from './export.ts'
import { carrierMonths } from './reconcile/carrier.ts'
import { differencePercent, reconcile, type Reconciled } from './reconcile/compare.ts'
import { MeteredBytes } from './reconcile/metered.ts'
import { carrierProfile } from './reconcile/profile.ts'
import { reportText } from './verify.ts'

interface ReconcileOptions extends Omit<EvidenceOptions, 'from' | 'to'> {
  readonly evidence?: string
  readonly trust?: string
  readonly profile?: string
  readonly month?: string
  readonly band?: string
}

/** `headgate ledger reconcile CDR`: what carriers billed against what gateways counted, by SIM and month. */
export async function reconcileCarrier(
  options: ReconcileOptions,
  [file = '']: readonly string[],
): Promise<Answer> {
  const { month, band } = options
  if (month !== undefined && !/^\d{4}-(0[1-9]|1[0-2])$/.test(month))
    throw new AgentError('USAGE', `--month ${month}: a month such as 2026-11`)
  const given = carrierProfile(options.profile)
  const profile = band === undefined ? given : { ...given, band: bandOf(band) }
  const carrier = await readable(file, () =>
    carrierMonths(createReadStream(file, { encoding: 'utf8' }), profile),
  )
  const { metered, report } = await meteredBytes(options)
  if (!report.ok) return { json: { report }, text: reportText(report), exit: 1 }
  const billed = new Map([...carrier].filter(([, one]) => month === undefined || one.month === month))
  const found = reconcile(metered.within(month), billed, profile)
  const outside = found.filter(({ verdict }) => verdict !== 'within').length
  const json = {
    trusted: report.trusted,
    band: profile.band,
    undated: metered.undated.toString(),
    outside,
    sims: found.map(shown),
  }
  return { json, text: textOf(found, { undated: metered.undated, report }), exit: outside === 0 ? 0 : 1 }
}

async function meteredBytes(
  options: ReconcileOptions,
): Promise<{ metered: MeteredBytes; report: EvidenceReport }> {
  const metered = new MeteredBytes()
  const progress = createProgress()
  const { evidence } = options
  const from =
    evidence === undefined
      ? await evidenceFrom(options)
      : { trust: options.trust, pieces: createReadStream(evidence) }
  try {
    const report = await readable(evidence ?? '', () =>
      verifyEvidence(from.pieces, {
        ...(from.trust === undefined ? {} : { trust: from.trust }),
        fact: (gateway, fact) => {
          metered.add(gateway, fact)
        },
        progress: ({ lines }) => {
          progress.show(`${lines} lines of evidence`)
        },
      }),
    )
    return { metered, report }
  } finally {
    progress.end()
  }
}

async function readable<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
    throw new AgentError('FILE_UNREADABLE', `Cannot read ${file}`, { cause })
  }
}

function bandOf(text: string): number {
  if (!/^\d{1,3}(\.\d{1,2})?$/.test(text)) throw new AgentError('USAGE', `--band ${text}: percent, such as 5`)
  return Number(text)
}

function shown(one: Reconciled) {
  const { sim, month, gateways, metered, expected, billed, sessions, verdict } = one
  const [least, most] = [expected.least.toString(), expected.most.toString()]
  const bytes = { metered: metered.toString(), expected: { least, most }, billed: billed.toString() }
  return { sim, month, gateways, ...bytes, sessions, differencePercent: differencePercent(one), verdict }
}

const SAID = {
  within: '',
  over: 'OVER: the carrier saw traffic that no gateway did',
  under: 'UNDER: the carrier billed less than was counted',
  'not-metered': 'NOT METERED: no gateway has counted anything on this SIM',
  'not-billed': 'NOT BILLED: the carrier does not name this SIM',
} as const

function textOf(
  found: readonly Reconciled[],
  { undated, report }: { undated: bigint; report: EvidenceReport },
): string {
  const rows = found.map((one) => [
    one.month,
    one.sim,
    one.gateways.join(' '),
    one.metered.toString(),
    one.expected.most.toString(),
    one.billed.toString(),
    `${differencePercent(one)?.toFixed(2) ?? '-'} %`,
    SAID[one.verdict],
  ])
  const head = ['month', 'sim', 'gateway', 'metered', 'expected', 'billed', 'off', 'verdict']
  const outside = found.filter(({ verdict }) => verdict !== 'within').length
  const waits = undated === 0n ? '' : `\n${undated} bytes are of days that nobody knows yet`
  const sums = `${table(head, rows)}\n\n${found.length - outside} of ${found.length} within the band${waits}`
  if (report.trusted) return sums
  // Whoever can write a file can write one that agrees with any bill.
  return `${sums}\nWARNING: the evidence is proved by no key that you named; its root key is ${report.root ?? 'none'}: --trust`
}
