import { askGateway } from '../local-api/client.ts'
import type { UsageFacts } from '../local-api/state.ts'
import { type Answer, table } from './output.ts'
import { dataDirOf, type Where } from './query.ts'

/** The bytes of one payer for one sensor, or for the link itself: its own protocol, idle and other traffic. */
interface DataUse {
  readonly organisation: string
  readonly subject: string
  /** A decimal string: it may pass 2^53. */
  readonly bytes: string
  /** Of all bytes, 0 to 1. */
  readonly share: number
}

/** `headgate data top` */
export async function dataTop(where: Where): Promise<Answer> {
  const facts = (await askGateway(await dataDirOf(where), '/v1/usage')) as UsageFacts[]
  const uses = largestFirst(facts.filter(({ meter }) => meter === 'cell.alloc'))
  const rows = uses.map(({ organisation, subject, bytes, share }) => [
    organisation,
    subject,
    bytes,
    `${(share * 100).toFixed(1)} %`,
  ])
  return { json: uses, text: table(['organisation', 'subject', 'bytes', 'share'], rows) }
}

/** Generations of a register are one payer's use. */
function largestFirst(registers: readonly UsageFacts[]): DataUse[] {
  const uses = new Map<string, { organisation: string; subject: string; bytes: bigint }>()
  for (const { organisation, subject, end } of registers) {
    const key = `${organisation} ${subject}`
    const bytes = (uses.get(key)?.bytes ?? 0n) + BigInt(end)
    uses.set(key, { organisation, subject, bytes })
  }
  const total = [...uses.values()].reduce((sum, { bytes }) => sum + bytes, 0n)
  return [...uses.values()]
    .sort((a, b) => (a.bytes === b.bytes ? 0 : a.bytes > b.bytes ? -1 : 1))
    .map((use) => ({ ...use, bytes: use.bytes.toString(), share: Number(use.bytes) / Number(total) }))
}
