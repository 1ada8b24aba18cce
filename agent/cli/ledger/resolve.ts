import { userInfo } from 'node:os'
import { z } from 'zod'
import { AgentError } from '../../errors.ts'
import { type OperatorOptions, operatorClient } from '../cloud-operator.ts'
import type { Answer } from '../output.ts'

interface ResolveOptions extends OperatorOptions {
  readonly resume?: boolean
  readonly close?: boolean
  readonly adopt?: boolean
  readonly stream: string
  readonly reason?: string
  readonly by?: string
}

const VERDICTS = {
  resume: 'goes on where it stands; what was kept apart is never posted',
  close: 'ends where it stands; the gateway goes on under its next epoch',
  adopt: "is the true gateway's; it goes on where the newest one stands",
} as const
type Verdict = keyof typeof VERDICTS

/** `headgate ledger resolve GATEWAY EPOCH`: the operator's word on what the ledger cannot judge. */
export async function resolveStream(
  options: ResolveOptions,
  [gateway = '', epoch = '']: readonly string[],
): Promise<Answer> {
  const verdict = verdictOf(options)
  const client = await operatorClient(options)
  const { stream, reason, by = userInfo().username } = options
  if (verdict === 'adopt') {
    const why = reason === undefined ? {} : { reason }
    await client.send('POST /v1/operator/adopt', { gateway, stream, epoch, by, ...why }, z.unknown())
  } else {
    if (reason === undefined) throw new AgentError('USAGE', 'why: --reason TEXT, which is kept for ever')
    await client.send('POST /v1/operator/resolve', { gateway, epoch, verdict, by, reason }, z.unknown())
  }
  const json = { gateway, stream, epoch, verdict }
  return { json, text: `${gateway}, epoch ${epoch}, ${VERDICTS[verdict]}` }
}

function verdictOf(options: ResolveOptions): Verdict {
  const chosen = (Object.keys(VERDICTS) as Verdict[]).filter((verdict) => options[verdict] === true)
  const [verdict] = chosen
  if (verdict === undefined || chosen.length > 1)
    throw new AgentError('USAGE', 'one of --resume, --close and --adopt')
  if (verdict !== 'adopt' && options.stream !== 'usage')
    throw new AgentError('USAGE', 'only the stream usage is ever resolved; another one is adopted')
  return verdict
}
