import { readFile } from 'node:fs/promises'
import type { PolicyOutcome } from '../../cloud-sync/gateway/index.ts'
import { AgentError } from '../errors.ts'
import { writeWhole } from '../identity.ts'
import { askGateway, askPolicyBytes, givePolicy } from '../local-api/client.ts'
import type { PolicyFacts } from '../local-api/state.ts'
import type { Answer } from './output.ts'
import { dataDirOf, type Where } from './query.ts'

/** `headgate policy apply FILE`: hands the running gateway a policy that came by another way than the link. */
export async function apply(where: Where, [file = '']: readonly string[]): Promise<Answer> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(file)
  } catch (cause) {
    throw new AgentError('USAGE', `cannot read ${file}`, { cause })
  }
  const outcome = (await givePolicy(await dataDirOf(where), bytes)) as PolicyOutcome
  if (outcome.applied) return { json: outcome, text: `version ${outcome.version} is in force` }
  if (outcome.because === 'same') return { json: outcome, text: 'it is in force already' }
  throw new AgentError('POLICY_REFUSED', `the gateway refuses it: ${outcome.because}`)
}

interface ShowOptions extends Where {
  readonly export?: string
}

/** `headgate policy show`: what is in force and how old it is; `--export FILE` writes it as it was signed. */
export async function show({ export: file, ...where }: ShowOptions): Promise<Answer> {
  const dataDir = await dataDirOf(where)
  if (file !== undefined) {
    const bytes = await askPolicyBytes(dataDir)
    writeWhole(file, bytes)
    return { json: { file, bytes: bytes.length }, text: `wrote ${file}, ${bytes.length} bytes` }
  }
  const facts = (await askGateway(dataDir, '/v1/policy')) as PolicyFacts
  return { json: facts, text: textOf(facts) }
}

const instant = (ms: number | null): string => (ms === null ? 'without end' : new Date(ms).toISOString())

function textOf(facts: PolicyFacts): string {
  const { newest } = facts
  const refused = Object.entries(facts.refused).filter(([, count]) => count > 0)
  const lines =
    facts.version === 0
      ? [
          'no policy is in force: nobody may read',
          newest === null
            ? 'there never was one'
            : `newest ever: version ${newest.version}, generation ${newest.generation}; the whole of it is needed`,
        ]
      : [
          `version      ${facts.version}, generation ${facts.generation ?? 1}, of ${facts.organisation ?? ''} (owner epoch ${facts.ownerEpoch ?? 1})`,
          `freshness    ${facts.freshness}`,
          `issued       ${instant(facts.issuedAt)}`,
          `fresh until  ${instant(facts.freshUntil)}`,
          `hard until   ${instant(facts.hardUntil)}`,
        ]
  return [
    ...lines,
    `policy time  ${instant(facts.policyTime)}${facts.signed ? '' : ' at least: no signed time since this boot'}`,
    ...refused.map(([because, count]) => `refused      ${count} ${because}`),
  ].join('\n')
}
