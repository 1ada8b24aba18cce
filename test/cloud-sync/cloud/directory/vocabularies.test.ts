import { expect } from 'vitest'
import { done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const invite = (d: TestDirectory, by: string, email: string, role?: string) =>
  refusal(
    d.write.invitations.invite(d.as(by, 'acme'), {
      org: 'acme',
      email: `${email}@example.org`,
      ...(role === undefined ? {} : { role: role as 'member' }),
    }),
  )

onBothEngines((engine) => {
  engine.with('S0.14 sensemetrics: Admins add users and set policies, Basic users do neither', async (d) => {
    await d.person('ana', 'acme', { preset: 'sensemetrics' })
    await d.person('bob')
    await d.joins('bob', 'acme', 'member', 'ana')
    await d.person('bea', 'borealis')
    await done(
      d.write.organisations.setVisibility(d.as('bea', 'borealis'), { org: 'borealis', visibility: 'public' }),
    )
    const policy = (by: string) =>
      refusal(d.write.policies.add(d.as(by, 'acme'), { org: 'acme', name: 'borealis' }))
    expect([await invite(d, 'bob', 'x'), await policy('bob')]).toEqual([
      'DIRECTORY_FORBIDDEN',
      'DIRECTORY_FORBIDDEN',
    ])
    expect([await invite(d, 'ana', 'x'), await policy('ana')]).toEqual(['done', 'done'])
    // S0.15: nor manages members.
    const remove = { org: 'acme', user: 'ana' }
    expect(await refusal(d.write.members.remove(d.as('bob', 'acme'), remove))).toBe('DIRECTORY_FORBIDDEN')
  })

  engine.with('S2.7 iotflows: Owner and Administrator invite, S2.9 to one of the four roles', async (d) => {
    await d.person('ana', 'acme', { preset: 'iotflows' })
    for (const role of ['admin', 'member', 'observer']) {
      await d.person(role)
      await d.joins(role, 'acme', role, 'ana')
    }
    for (const by of ['ana', 'admin']) expect(await invite(d, by, `${by}-new`, 'observer'), by).toBe('done')
    for (const by of ['member', 'observer']) expect(await invite(d, by, 'y'), by).toBe('DIRECTORY_FORBIDDEN')
    expect(await invite(d, 'ana', 'z', 'editor')).toBe('DIRECTORY_PRESET_FORBIDS')
    // S2.12: an Administrator neither deletes the organisation nor gives what concerns billing.
    const remove = { org: 'acme', password: 'admin-password' }
    expect(await refusal(d.write.organisations.remove(d.as('admin', 'acme'), remove))).toBe(
      'DIRECTORY_FORBIDDEN',
    )
    const withBilling = { org: 'acme', user: 'member', role: 'member', billing: true } as const
    expect(await refusal(d.write.members.changeRole(d.as('admin', 'acme'), withBilling))).toBe(
      'DIRECTORY_FORBIDDEN',
    )
    expect(await refusal(d.write.members.changeRole(d.as('ana', 'acme'), withBilling))).toBe('done')
  })

  engine.with('S2.13 a Member accesses the projects that they are assigned to and no other', async (d) => {
    await d.person('ana', 'acme', { preset: 'iotflows' })
    await d.person('bob')
    await d.joins('bob', 'acme', 'member', 'ana')
    const project = async (name: string) =>
      (await done(d.write.workspaces.create(d.as('ana', 'acme'), { org: 'acme', name }))).workspace
    const [mill, quarry] = [await project('Mill'), await project('Quarry')]
    for (const [gateway, workspace] of [
      ['GW-1', mill],
      ['GW-2', quarry],
    ] as const)
      await done(
        d.write.gateways.register(d.operator(), {
          org: 'acme',
          gateway,
          workspace,
          publicKey: Buffer.alloc(32).toString('base64'),
        }),
      )
    await done(
      d.write.workspaces.setLevel(d.as('ana', 'acme'), {
        org: 'acme',
        workspace: mill,
        user: 'bob',
        level: 'editor',
      }),
    )
    const may = async (resource: string) =>
      (
        await done(
          d.ask.shares.check(d.actor('bob', 'acme'), {
            org: 'acme',
            right: 'device.operate',
            thing: { kind: 'gateway', resource },
          }),
        )
      ).allowed
    expect([await may('GW-1'), await may('GW-2')]).toEqual([true, false])
  })

  engine.with(
    'S3.19 tagoio: team members reach all of a profile but quotas, audit and inviting, S3.1 it stays the owner own',
    async (d) => {
      await d.person('ana', 'acme', { preset: 'tagoio' })
      await d.person('bob')
      const { workspace } = await done(
        d.write.workspaces.create(d.as('ana', 'acme'), { org: 'acme', name: 'Mine', type: 'profile' }),
      )
      // S3.11: people are added to a profile by their e-mail, S3.4 and get nothing else.
      await done(
        d.write.invitations.invite(d.as('ana', 'acme'), {
          org: 'acme',
          email: 'bob@example.org',
          workspace,
          level: 'owner',
        }),
      )
      await done(d.write.invitations.accept(d.as('bob'), { secret: await d.secretFor('bob@example.org') }))
      const asBob = () => d.as('bob', 'acme')
      expect(
        await refusal(d.write.workspaces.update(asBob(), { org: 'acme', workspace, name: 'Ours' })),
      ).toBe('done')
      const allocate = { org: 'acme', workspace, quotas: { devices: 1 } }
      expect(await refusal(d.write.workspaces.allocate(asBob(), allocate))).toBe('DIRECTORY_FORBIDDEN')
      expect(await refusal(d.ask.audit.list(d.actor('bob', 'acme'), { org: 'acme' }))).toBe(
        'DIRECTORY_FORBIDDEN',
      )
      await d.person('cy')
      const onward = { org: 'acme', email: 'cy@example.org', workspace, level: 'viewer' } as const
      expect(await refusal(d.write.invitations.invite(asBob(), onward))).toBe('DIRECTORY_FORBIDDEN')
      expect(await d.store.read.get('workspace', { id: workspace })).toMatchObject({
        org: 'acme',
        created_by: 'ana',
      })
    },
  )
})
