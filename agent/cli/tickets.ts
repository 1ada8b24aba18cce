import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { wholeNumber } from './arguments.ts'
import { type MemberLogin, memberClient } from './cloud-member.ts'
import { type Answer, table } from './output.ts'

/** The cloud's own bounds. */
const USES = { least: 1, most: 1_000 }
const DAYS = { least: 1, most: 90 }
const PAGE = '100'

const Sealed = z.object({ ticket: z.string(), sealed: z.string(), until: z.number() })
const Listed = z.object({
  id: z.string(),
  kind: z.string(),
  workspace: z.string().nullable(),
  installer: z.string(),
  gateway: z.string().nullable(),
  maxUses: z.int(),
  uses: z.int(),
  until: z.number(),
  state: z.string(),
})
const Page = z.object({ items: z.array(Listed), next: z.string().nullable() })

const ticketsOf = (org: string): string => `/v1/organisations/${encodeURIComponent(org)}/tickets`

interface IssueOptions extends MemberLogin {
  readonly installer?: string
  readonly workspace?: string
  /** Serial numbers; none = any gateway that is nobody's. */
  readonly serial?: readonly string[]
  readonly uses?: string
  readonly days?: string
  /** Where the ticket is written. */
  readonly to?: string
}

/** `headgate ticket issue`: for an installer who goes where there is no network. */
export async function issue(options: IssueOptions): Promise<Answer> {
  const { installer, workspace, serial, uses, days, to } = options
  const { client, org } = await memberClient(options)
  const asked = {
    ...(installer !== undefined && { installer }),
    ...(workspace !== undefined && { workspace }),
    ...(serial !== undefined && { serials: serial }),
    ...(uses !== undefined && { maxUses: wholeNumber('--uses', uses, USES) }),
    ...(days !== undefined && { days: wholeNumber('--days', days, DAYS) }),
  }
  return sealedAnswer(await client.send(`POST ${ticketsOf(org)}`, asked, Sealed), to)
}

/** `headgate ticket show TICKET`: the ticket itself again. */
export async function show(
  options: MemberLogin & { to?: string },
  [id = '']: readonly string[],
): Promise<Answer> {
  const { client, org } = await memberClient(options)
  const path = `${ticketsOf(org)}/${encodeURIComponent(id)}`
  return sealedAnswer(await client.get(path, {}, Sealed), options.to)
}

function sealedAnswer(made: z.infer<typeof Sealed>, to: string | undefined): Answer {
  if (to !== undefined) writeFileSync(to, `${made.sealed}\n`, { mode: 0o600 })
  const until = new Date(made.until).toISOString()
  const what = to === undefined ? made.sealed : `written to ${to}`
  return { json: made, text: `ticket ${made.ticket}, good until ${until}\n${what}` }
}

/** `headgate ticket list`: tickets and reservations, newest last. */
export async function list(options: MemberLogin): Promise<Answer> {
  const { client, org } = await memberClient(options)
  const tickets: z.infer<typeof Listed>[] = []
  let cursor: string | undefined
  do {
    const page = await client.get(ticketsOf(org), { limit: PAGE, cursor }, Page)
    tickets.push(...page.items)
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  const rows = tickets.map((one) => [
    one.id,
    one.kind,
    one.installer,
    one.gateway ?? 'as the ticket says',
    `${one.uses}/${one.maxUses}`,
    one.state,
    new Date(one.until).toISOString(),
  ])
  const head = ['ticket', 'kind', 'installer', 'gateway', 'used', 'state', 'until']
  return { json: tickets, text: table(head, rows) }
}

/** `headgate ticket revoke TICKET` */
export async function revoke(options: MemberLogin, [id = '']: readonly string[]): Promise<Answer> {
  const { client, org } = await memberClient(options)
  await client.send(`DELETE ${ticketsOf(org)}/${encodeURIComponent(id)}`, undefined, z.undefined())
  return {
    json: { ticket: id, state: 'revoked' },
    text: `${id} is revoked: no receipt by it counts from now on, also of a claim that has not been heard of`,
  }
}
