import { expect } from 'vitest'
import { done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const create = async (d: TestDirectory, by: string, name: string, more = {}) =>
  (await done(d.write.workspaces.create(d.as(by, 'acme'), { org: 'acme', name, ...more }))).workspace
const seen = async (d: TestDirectory, by: string) =>
  (await done(d.ask.workspaces.list(d.actor(by, 'acme'), { org: 'acme' }))).map(({ name }) => name).sort()

onBothEngines((engine) => {
  engine.with('S3.10 workspaces are renamed, and two may have one name', async (d) => {
    await d.person('ana', 'acme')
    const [one, two] = [await create(d, 'ana', 'Pit'), await create(d, 'ana', 'Pit')]
    expect(one).not.toBe(two)
    await done(
      d.write.workspaces.update(d.as('ana', 'acme'), { org: 'acme', workspace: two, name: 'Quarry' }),
    )
    expect(await seen(d, 'ana')).toEqual(['Pit', 'Quarry'])
  })

  engine.with(
    'S3.2 access to one workspace gives nothing on another, S1.17 both roles are listed',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('bob')
      await d.joins('bob', 'acme', 'member', 'ana')
      const [pit, mill] = [await create(d, 'ana', 'Pit'), await create(d, 'ana', 'Mill')]
      expect(await seen(d, 'bob')).toEqual([])
      const level = { org: 'acme', workspace: pit, user: 'bob', level: 'editor' } as const
      await done(d.write.workspaces.setLevel(d.as('ana', 'acme'), level))
      expect(await seen(d, 'bob')).toEqual(['Pit'])
      expect(
        await done(d.ask.workspaces.members(d.actor('ana', 'acme'), { org: 'acme', workspace: pit })),
      ).toEqual([{ user: 'bob', role: 'member', level: 'editor' }])
      const rename = (workspace: string) =>
        d.write.workspaces.update(d.as('bob', 'acme'), { org: 'acme', workspace, name: 'X' })
      expect(await refusal(rename(pit))).toBe('done')
      expect(await refusal(rename(mill))).not.toBe('done')
      expect(
        await refusal(d.write.organisations.update(d.as('bob', 'acme'), { org: 'acme', name: 'X' })),
      ).toBe('DIRECTORY_FORBIDDEN')
    },
  )

  engine.with(
    'S1.16 in a workspace nobody gives a level above their own, S1.18 levels change and end',
    async (d) => {
      await d.person('ana', 'acme')
      for (const name of ['ed', 'vic', 'wes']) {
        await d.person(name)
        await d.joins(name, 'acme', 'member', 'ana')
      }
      const workspace = await create(d, 'ana', 'Pit')
      const give = (by: string, user: string, level: 'owner' | 'editor' | 'viewer') =>
        d.write.workspaces.setLevel(d.as(by, 'acme'), { org: 'acme', workspace, user, level })
      await done(give('ana', 'ed', 'editor'))
      expect(await refusal(give('ed', 'vic', 'owner'))).toBe('DIRECTORY_ABOVE_RANK')
      expect(await refusal(give('ed', 'vic', 'viewer'))).toBe('done')
      expect(await refusal(give('vic', 'wes', 'viewer'))).toBe('DIRECTORY_FORBIDDEN')
      await done(give('ana', 'wes', 'editor'))
      const end = (by: string, user: string) =>
        d.write.workspaces.removeLevel(d.as(by, 'acme'), { org: 'acme', workspace, user })
      expect(await refusal(end('ed', 'wes'))).toBe('DIRECTORY_ABOVE_RANK')
      expect(await refusal(end('ed', 'vic'))).toBe('done')
      expect(await seen(d, 'vic')).toEqual([])
    },
  )

  engine.with(
    'S1.8 removal from the organisation ends every workspace role, and a new membership revives none',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('bob')
      await d.joins('bob', 'acme', 'member', 'ana')
      const workspace = await create(d, 'ana', 'Pit')
      await done(
        d.write.workspaces.setLevel(d.as('ana', 'acme'), {
          org: 'acme',
          workspace,
          user: 'bob',
          level: 'owner',
        }),
      )
      await done(d.write.members.remove(d.as('ana', 'acme'), { org: 'acme', user: 'bob' }))
      await d.joins('bob', 'acme', 'member', 'ana')
      expect(await seen(d, 'bob')).toEqual([])
    },
  )

  engine.with(
    'S1.14 who adds a workspace: owner, admin and editor, and in akenza the viewer too',
    async (d) => {
      for (const [org, preset] of [
        ['acme', 'headgate'],
        ['aken', 'akenza'],
      ] as const) {
        await d.person(`owner-${org}`, org, { preset })
        for (const role of ['admin', 'editor', 'viewer', 'member']) {
          await d.person(`${role}-${org}`)
          await d.joins(`${role}-${org}`, org, role, `owner-${org}`)
          const made = d.write.workspaces.create(d.as(`${role}-${org}`, org), { org, name: role })
          const may = role === 'viewer' ? org === 'aken' : role !== 'member'
          expect(await refusal(made), `${role} ${org}`).toBe(may ? 'done' : 'DIRECTORY_FORBIDDEN')
        }
      }
    },
  )

  engine.with(
    'S1.6 akenza: an editor invites, elsewhere not; into a workspace its editor does',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('ken', 'aken', { preset: 'akenza' })
      await d.person('ed')
      await d.joins('ed', 'acme', 'editor', 'ana')
      await d.joins('ed', 'aken', 'editor', 'ken')
      const invite = (org: string, role: 'viewer' | 'admin') =>
        d.write.invitations.invite(d.as('ed', org), { org, email: `${role}@example.org`, role })
      expect(await refusal(invite('acme', 'viewer'))).toBe('DIRECTORY_FORBIDDEN')
      expect(await refusal(invite('aken', 'viewer'))).toBe('done')
      expect(await refusal(invite('aken', 'admin'))).toBe('DIRECTORY_ABOVE_RANK')

      await d.person('wes')
      await d.person('new')
      await d.joins('wes', 'acme', 'member', 'ana')
      const workspace = await create(d, 'ana', 'Pit')
      await done(
        d.write.workspaces.setLevel(d.as('ana', 'acme'), {
          org: 'acme',
          workspace,
          user: 'wes',
          level: 'editor',
        }),
      )
      const into = (level: 'owner' | 'viewer') =>
        d.write.invitations.invite(d.as('wes', 'acme'), {
          org: 'acme',
          email: 'new@example.org',
          workspace,
          level,
        })
      expect(await refusal(into('owner'))).toBe('DIRECTORY_ABOVE_RANK')
      await done(into('viewer'))
      await done(d.write.invitations.accept(d.as('new'), { secret: await d.secretFor('new@example.org') }))
      expect(await seen(d, 'new')).toEqual(['Pit'])
      // S1.7: who is only in a workspace is listed as a member of the organisation.
      const members = await done(d.ask.members.list(d.actor('ana', 'acme'), { org: 'acme' }))
      expect(members.find(({ user }) => user === 'new')).toMatchObject({ role: 'member' })
    },
  )

  engine.with('S3.8 quotas of workspaces never add up to more than the organisation has', async (d) => {
    await d.person('ana', 'acme')
    await done(d.write.organisations.govern(d.operator(), { org: 'acme', quotas: { devices: 10 } }))
    const one = await create(d, 'ana', 'One', { quotas: { devices: 6 } })
    const two = await create(d, 'ana', 'Two', { quotas: { devices: 4, storage: 1_000 } })
    const allocate = (workspace: string, devices: number) =>
      d.write.workspaces.allocate(d.as('ana', 'acme'), { org: 'acme', workspace, quotas: { devices } })
    expect(await refusal(allocate(two, 5))).toBe('DIRECTORY_QUOTA_EXCEEDED')
    await done(allocate(one, 5))
    expect(await refusal(allocate(two, 5))).toBe('done')
  })

  engine.with(
    'S2.16 a team has a handle of its own in the organisation, S2.17 its members have roles',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('bob')
      await d.joins('bob', 'acme', 'member', 'ana')
      const team = (handle: string) =>
        d.write.teams.create(d.as('ana', 'acme'), { org: 'acme', handle, name: 'Maintenance' })
      const { team: id } = await done(team('maintenance-team'))
      expect(await refusal(team('maintenance-team'))).toBe('DIRECTORY_EXISTS')
      expect(await refusal(team('Maintenance'))).toBe('DIRECTORY_INPUT_INVALID')
      const asAna = () => d.as('ana', 'acme')
      await done(d.write.teams.setMember(asAna(), { org: 'acme', team: id, user: 'bob', role: 'lead' }))
      expect(await refusal(d.write.teams.setMember(asAna(), { org: 'acme', team: id, user: 'zoe' }))).toBe(
        'DIRECTORY_NOT_FOUND',
      )
      expect(
        await refusal(d.write.teams.create(d.as('bob', 'acme'), { org: 'acme', handle: 'mine', name: 'X' })),
      ).toBe('DIRECTORY_FORBIDDEN')
      await done(d.write.teams.update(asAna(), { org: 'acme', team: id, handle: 'repair' }))
      const found = (handle: string) =>
        done(d.ask.teams.list(d.actor('bob', 'acme'), { org: 'acme', handle }))
      expect(await found('repair')).toMatchObject([{ members: [{ user: 'bob', role: 'lead' }] }])
      expect(await found('maintenance-team')).toEqual([])
      await done(d.write.teams.remove(asAna(), { org: 'acme', team: id }))
      expect(await refusal(team('repair'))).toBe('done')
      expect(await found('repair')).toMatchObject([{ members: [] }])
    },
  )
})
