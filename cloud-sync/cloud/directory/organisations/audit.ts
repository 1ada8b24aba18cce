import { z } from 'zod'
import { demand, may } from '../kernel/authority.ts'
import { shownTo } from '../kernel/shown.ts'
import { OrgId } from '../kernel/words.ts'
import { query } from '../kernel/write.ts'

const PAGE_MAX = 200

/**
 * What was done in an organisation, newest first. Who acts for a partner is shown as the partner to everybody but the
 * partner's own people (S4.14); these see their own actions only.
 */
export const audit = query({
  input: z.strictObject({
    org: OrgId,
    before: z.int().optional(),
    limit: z.int().min(1).max(PAGE_MAX).default(PAGE_MAX),
  }),
  async run(asking, { org, before, limit }) {
    const user = asking.actor.kind === 'user' ? asking.actor.user : ''
    const all = await may(asking, 'audit.read', { org })
    const own = await demand(asking, 'audit.read', { org }, all ? {} : { member: user })
    const where = all ? { org } : { org, actor: own.user }
    const rows = await asking.read.find('audit', where, {
      orderBy: ['position'],
      descending: true,
      limit,
      ...(before === undefined ? {} : { after: before }),
    })
    return rows.map((row) => ({
      position: row.position,
      at: row.at,
      actor: shownTo(
        { viewer: own.actingOrg, owner: row.org },
        { kind: row.actor_kind, id: row.actor, org: row.actor_org },
      ),
      what: row.what,
      outcome: row.outcome,
      about: aboutOf(row.detail),
    }))
  },
})

/** Behind the idempotency key. */
function aboutOf(detail: string): string | null {
  const blank = detail.indexOf(' ')
  return blank === -1 ? null : detail.slice(blank + 1)
}
