import type { ChangeFacts, MemberFacts, ShareFacts, WhoFacts, WhyFacts } from '../console/state.ts'
import { AgentError } from '../errors.ts'
import { askGateway, type Asking } from '../local-api/client.ts'
import { keyOf } from './cloud-client.ts'
import { type Answer, table } from './output.ts'
import { dataDirOf, type Where } from './query.ts'

interface InName extends Where {
  /** `organisation:name` of an API key. */
  readonly as?: string
  readonly keyFile?: string
}

/** Asks the running gateway, in somebody's name where one is given. */
async function asked<T>(where: InName, path: string, body?: object): Promise<T> {
  const asking: Asking = { ...(body && { body }), ...(await loginOf(where)) }
  return (await askGateway(await dataDirOf(where), path, asking)) as T
}

async function loginOf({ as, keyFile }: InName): Promise<Pick<Asking, 'login'>> {
  if (as === undefined) return {}
  if (!/^[^:\s]+:[^:\s]+$/.test(as))
    throw new AgentError('USAGE', `--as ${as}: organisation and name of a key, as acme:ana`)
  return { login: { name: as, key: await keyOf(keyFile) } }
}

const query = (path: string, of: Readonly<Record<string, string>>): string =>
  `${path}?${new URLSearchParams(of).toString()}`

/** `headgate members` */
export async function members(where: InName): Promise<Answer> {
  const facts = await asked<MemberFacts[]>(where, '/v1/members')
  const rows = facts.map(({ organisation, name, role, state }) => [organisation, name, role, state])
  return { json: facts, text: table(['organisation', 'name', 'role', 'state'], rows) }
}

/** `headgate shares` */
export async function shares(where: InName): Promise<Answer> {
  const facts = await asked<ShareFacts[]>(where, '/v1/shares')
  const rows = facts.map(({ thing, to, level, by, legacy, expiresAt }) => [
    thing,
    to,
    legacy ? `${level} (left with it)` : level,
    by ?? '',
    expiresAt === null ? '' : new Date(expiresAt).toISOString(),
  ])
  return { json: facts, text: table(['thing', 'shown to', 'level', 'by', 'until'], rows) }
}

/** `headgate who-can RIGHT THING` */
export async function whoCan(where: InName, [right = '', thing = '']: readonly string[]): Promise<Answer> {
  const facts = await asked<WhoFacts[]>(where, query('/v1/who-can', { right, thing }))
  const rows = facts.map(({ organisation, name, via }) => [
    organisation,
    name ?? '(somebody)',
    via.join(', '),
  ])
  return { json: facts, text: table(['organisation', 'name', 'by'], rows) }
}

/** `headgate why WHO RIGHT THING`; exit code 1 where they may not. */
export async function why(
  where: InName,
  [as = '', right = '', thing = '']: readonly string[],
): Promise<Answer> {
  const facts = await asked<WhyFacts>(where, query('/v1/why', { as, right, thing }))
  const { allowed, because, via, paths } = facts
  const answer = allowed ? `yes, by ${via.join(', ')}` : `no: ${because ?? ''}`
  const looked = paths.map((path) => `  ${path.via}: ${path.against ?? 'allows it'}`)
  return { json: facts, text: [answer, ...looked].join('\n'), exit: allowed ? 0 : 1 }
}

async function change(where: InName, path: string, body: object): Promise<Answer> {
  if (where.as === undefined)
    throw new AgentError('USAGE', '--as: a change is made in the name of a member, as acme:ana')
  const facts = await asked<ChangeFacts>(where, path, body)
  const until = facts.expiresAt === null ? '' : `, until ${new Date(facts.expiresAt).toISOString()}`
  return { json: facts, text: `done as change ${facts.number}, in force now${until}` }
}

/** `headgate share THING WHOM` */
export const share = (where: InName, [thing = '', to = '']: readonly string[]): Promise<Answer> =>
  change(where, '/v1/share', { thing, to })

/** `headgate revoke THING WHOM` */
export const revoke = (where: InName, [thing = '', to = '']: readonly string[]): Promise<Answer> =>
  change(where, '/v1/revoke', { thing, to })

/** `headgate leave` */
export const leave = (where: InName): Promise<Answer> => change(where, '/v1/leave', {})

/** `headgate remove WHO` */
export const remove = (where: InName, [who = '']: readonly string[]): Promise<Answer> =>
  change(where, '/v1/remove', named(who))

/** `headgate suspend WHO` */
export const suspend = (where: InName, [who = '']: readonly string[]): Promise<Answer> =>
  change(where, '/v1/suspend', named(who))

/** `headgate opt-out THING [ALERT]` */
export const optOut = (where: InName, [thing = '', alert = 'all']: readonly string[]): Promise<Answer> =>
  change(where, '/v1/opt-out', { thing, alert })

/** `headgate block WHO` */
export const block = (where: InName, [who = '']: readonly string[]): Promise<Answer> =>
  change(where, '/v1/block', named(who))

function named(who: string): { organisation: string; name: string } {
  const [organisation = '', name = '', ...more] = who.split(':')
  if (organisation === '' || name === '' || more.length > 0)
    throw new AgentError('USAGE', `${who}: organisation and name, as acme:ana`)
  return { organisation, name }
}
