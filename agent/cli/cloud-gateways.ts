import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { type MemberLogin, memberClient } from './cloud-member.ts'
import { type OperatorOptions, operatorClient } from './cloud-operator.ts'
import { drawLabel, type LabelFiles } from './label/label.ts'
import { type Answer, table } from './output.ts'

/** Where the label and the gateway's half of its code go. */
interface LabelOptions extends LabelFiles {
  readonly birth?: string
}

const LabelShown = z.object({
  gateway: z.string(),
  label: z.string().nullable(),
  generation: z.int(),
  birth: z.string().nullable(),
})
const Decided = LabelShown.omit({ generation: true }).extend({ org: z.string().nullable() })
const Trust = z.object({ trust: z.string() })
const History = z.object({
  gateway: z.string(),
  state: z.string(),
  org: z.string().nullable(),
  owners: z.array(z.object({ epoch: z.int(), org: z.string(), hash: z.string() })),
  receipts: z.array(
    z.object({
      claimCounter: z.int(),
      what: z.string(),
      org: z.string(),
      ticket: z.string().nullable(),
      verdict: z.string(),
      because: z.string().nullable(),
      at: z.number(),
    }),
  ),
  holds: z.array(z.object({ org: z.string(), since: z.number(), winner: z.string().nullable() })),
})

const OF_OPERATOR = '/v1/operator/claims/gateways'
const segment = encodeURIComponent

/** `headgate cloud provision`: registers a gateway that is nobody's, and shows its label once. */
export async function provision(
  options: OperatorOptions & LabelOptions & { pubkey: string; serial: string; model: string },
): Promise<Answer> {
  const client = await operatorClient(options)
  const { serial: gateway, model, pubkey: publicKey } = options
  const { trust } = await client.get('/v1/trust', {}, Trust)
  const made = await client.send(`POST ${OF_OPERATOR}`, { gateway, model, publicKey }, LabelShown)
  const text = labelled(made, options)
  const next = `cloud.trust of its gateway.yaml: ${trust}\n${birthText(made, options)}`
  return { json: { ...made, trust }, text: `${text}\n${next}` }
}

/** `headgate cloud gateway relabel GATEWAY`: another label for one that is nobody's. */
export async function relabel(
  options: OperatorOptions & LabelOptions,
  [gateway = '']: readonly string[],
): Promise<Answer> {
  const client = await operatorClient(options)
  const made = await client.send(`POST ${OF_OPERATOR}/${segment(gateway)}/label`, undefined, LabelShown)
  return { json: made, text: `${labelled(made, options)}\n${birthText(made, options)}` }
}

/** `headgate cloud gateway release GATEWAY`: its owner lets it go. */
export async function release(
  options: MemberLogin & LabelOptions,
  [gateway = '']: readonly string[],
): Promise<Answer> {
  const { client, org } = await memberClient(options)
  const path = `/v1/organisations/${segment(org)}/gateways/${segment(gateway)}/release`
  const made = await client.send(`POST ${path}`, undefined, LabelShown)
  const waits =
    'it stays yours until the gateway has heard of it, over its link or by `headgate claim-documents`'
  return { json: made, text: `${labelled(made, options)}\n${birthText(made, options)}\n${waits}` }
}

/** `headgate cloud gateway decide GATEWAY ORG|nobody`: ends a dispute. */
export async function decide(
  options: OperatorOptions & LabelOptions,
  [gateway = '', to = '']: readonly string[],
): Promise<Answer> {
  const client = await operatorClient(options)
  const org = to === 'nobody' ? null : to
  const made = await client.send(`POST ${OF_OPERATOR}/${segment(gateway)}/decision`, { org }, Decided)
  const text =
    made.org === null
      ? `${labelled(made, options)}\n${birthText(made, options)}`
      : `${gateway} is ${made.org}'s now`
  return { json: made, text }
}

/** `headgate cloud gateway decommission GATEWAY` */
export async function decommission(
  options: OperatorOptions,
  [gateway = '']: readonly string[],
): Promise<Answer> {
  const client = await operatorClient(options)
  await client.send(`DELETE ${OF_OPERATOR}/${segment(gateway)}`, undefined, z.undefined())
  return { json: { gateway, state: 'decommissioned' }, text: `nobody claims ${gateway} any more` }
}

/** `headgate cloud gateway show GATEWAY`: whose it was, what it said, and what the cloud made of it. */
export async function show(options: OperatorOptions, [gateway = '']: readonly string[]): Promise<Answer> {
  const client = await operatorClient(options)
  const history = await client.get(`${OF_OPERATOR}/${segment(gateway)}`, {}, History)
  const rows = history.receipts.map(({ claimCounter, what, org, verdict, because, at }) => [
    claimCounter,
    what,
    org,
    because === null ? verdict : `${verdict} (${because})`,
    new Date(at).toISOString(),
  ])
  const head = `${gateway} is ${history.state}${history.org === null ? '' : `, ${history.org}'s`}`
  return {
    json: history,
    text: `${head}\n\n${table(['claim', 'what', 'organisation', 'verdict', 'heard'], rows)}`,
  }
}

interface Made {
  readonly label: string | null
  readonly birth: string | null
}

/** Writes what is to be kept, and says the label: nobody can ask for it again. */
function labelled({ label, birth }: Made, options: LabelOptions): string {
  if (options.birth !== undefined && birth !== null) writeFileSync(options.birth, `${birth}\n`)
  if (label === null) return 'its label was shown already; `headgate cloud gateway relabel` makes another'
  return `${drawLabel(label, options)}\n${label}\n(shown once: print it now; whoever has it may reserve the gateway)`
}

const birthText = ({ birth }: Made, options: LabelOptions): string =>
  options.birth === undefined
    ? `claim.birth of its data folder: ${birth ?? ''}`
    : `${options.birth} goes to its data folder as claim.birth`
