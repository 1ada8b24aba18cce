import { expect } from 'vitest'
import { done, onSqlite, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const KEY = Buffer.alloc(32).toString('base64')
const create = async (d: TestDirectory, by: string, name: string) =>
  (await done(d.write.workspaces.create(d.as(by, 'acme'), { org: 'acme', name }))).workspace
const seen = async (d: TestDirectory, by: string) =>
  (await done(d.ask.workspaces.list(d.actor(by, 'acme'), { org: 'acme' }))).map(({ name }) => name).sort()
const invite = (d: TestDirectory, by: string, email: string, more: object = {}) =>
  d.write.invitations.invite(d.as(by, 'acme'), { org: 'acme', email, ...more })
const akenza = { preset: 'akenza' }

onSqlite((engine) => {
  engine.with(
    'S1.1 one organisation is the account of several workspaces and all their people',
    async (d) => {
      await d.person('ana', 'acme', akenza)
      for (const name of ['bob', 'cy']) await d.person(name)
      await d.joins('bob', 'acme', 'editor', 'ana')
      const [mill] = [await create(d, 'ana', 'Mill'), await create(d, 'bob', 'Pit')]
      await done(invite(d, 'ana', 'cy@example.org', { workspace: mill, level: 'viewer' }))
      await done(d.write.invitations.accept(d.as('cy'), { secret: await d.secretFor('cy@example.org') }))
      // The roles of the organisation reach all of them, those of a workspace one.
      expect([await seen(d, 'ana'), await seen(d, 'bob'), await seen(d, 'cy')]).toEqual([
        ['Mill', 'Pit'],
        ['Mill', 'Pit'],
        ['Mill'],
      ])
      const members = await done(d.ask.members.list(d.actor('ana', 'acme'), { org: 'acme' }))
      expect(members.map(({ user, role }) => `${user} ${role}`)).toEqual([
        'ana owner',
        'bob editor',
        'cy member',
      ])
    },
  )

  engine.with('S1.4 an organisation has a name, and a description and a logo if it likes', async (d) => {
    await d.person('ana', 'acme', { ...akenza, name: 'Acme Mining' })
    const details = () => done(d.ask.organisations.details(d.actor('ana', 'acme'), { org: 'acme' }))
    expect(await details()).toMatchObject({ name: 'Acme Mining', description: '', logoUrl: '' })
    const logo = (logoUrl: string) =>
      refusal(
        d.write.organisations.update(d.as('ana', 'acme'), { org: 'acme', description: 'Two pits', logoUrl }),
      )
    expect(await logo('javascript:alert(1)')).toBe('DIRECTORY_INPUT_INVALID')
    expect(await logo('https://acme.example/logo.png')).toBe('done')
    expect(await details()).toMatchObject({
      description: 'Two pits',
      logoUrl: 'https://acme.example/logo.png',
    })
    // The name is no key: a second company of that name is another organisation.
    await d.person('bea', 'acme-two', { ...akenza, name: 'Acme Mining' })
    expect(await d.store.read.find('organisation', { name: 'Acme Mining' })).toHaveLength(2)
  })

  engine.with('S1.11 a device lives in one workspace at most, and its people see it by that', async (d) => {
    await d.person('ana', 'acme', akenza)
    await d.person('wes')
    await d.joins('wes', 'acme', 'member', 'ana')
    const [mill, pit] = [await create(d, 'ana', 'Mill'), await create(d, 'ana', 'Pit')]
    await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-1', publicKey: KEY }))
    const add = (device: string, workspace: string) =>
      refusal(
        d.write.gateways.addDevice(d.as('ana', 'acme'), {
          org: 'acme',
          gateway: 'GW-1',
          device,
          name: device,
          workspace,
        }),
      )
    expect([await add('tilt', mill), await add('pump', pit)]).toEqual(['done', 'done'])
    expect(await add('tilt', pit)).toBe('DIRECTORY_EXISTS')
    expect(await add('flow', 'no-such')).toBe('DIRECTORY_NOT_FOUND')
    const level = { org: 'acme', workspace: mill, user: 'wes', level: 'viewer' } as const
    await done(d.write.workspaces.setLevel(d.as('ana', 'acme'), level))
    const reads = async (resource: string) =>
      (
        await done(
          d.ask.shares.check(d.actor('wes', 'acme'), {
            org: 'acme',
            right: 'data.read',
            thing: { kind: 'device', resource },
          }),
        )
      ).allowed
    expect([await reads('GW-1/tilt'), await reads('GW-1/pump')]).toEqual([true, false])
  })

  engine.with('S1.12 workspaces come and go, and the organisation is the same', async (d) => {
    await d.person('ana', 'acme', akenza)
    const made = [
      await create(d, 'ana', 'One'),
      await create(d, 'ana', 'Two'),
      await create(d, 'ana', 'Three'),
    ]
    expect(new Set(made).size).toBe(3)
    const remove = { org: 'acme', workspace: made[1] ?? '' }
    await done(d.write.workspaces.remove(d.as('ana', 'acme'), remove))
    expect(await seen(d, 'ana')).toEqual(['One', 'Three'])
    expect(await refusal(d.write.workspaces.remove(d.as('ana', 'acme'), remove))).toBe('DIRECTORY_NOT_FOUND')
  })

  engine.with('S1.15 a workspace is a project: nothing in it is seen from another', async (d) => {
    await d.person('ana', 'acme', akenza)
    await d.person('bea', 'borealis', akenza)
    const mill = await create(d, 'ana', 'Mill')
    const foreign = { org: 'borealis', workspace: mill }
    for (const asked of [foreign, { org: 'acme', workspace: mill }])
      expect(await refusal(d.ask.workspaces.members(d.actor('bea', 'borealis'), asked))).toBe(
        'DIRECTORY_NOT_FOUND',
      )
    expect(await d.store.read.get('workspace', { id: mill })).toMatchObject({ org: 'acme', type: 'project' })
  })

  engine.with('S1.17 who is in a workspace is listed with both roles', async (d) => {
    await d.person('ana', 'acme', akenza)
    for (const [name, role] of [
      ['ed', 'editor'],
      ['mo', 'member'],
    ] as const) {
      await d.person(name)
      await d.joins(name, 'acme', role, 'ana')
    }
    const mill = await create(d, 'ana', 'Mill')
    for (const [user, level] of [
      ['ed', 'owner'],
      ['mo', 'viewer'],
    ] as const)
      await done(
        d.write.workspaces.setLevel(d.as('ana', 'acme'), { org: 'acme', workspace: mill, user, level }),
      )
    const list = (by: string) =>
      d.ask.workspaces.members(d.actor(by, 'acme'), { org: 'acme', workspace: mill })
    expect(await done(list('ana'))).toEqual([
      { user: 'ed', role: 'editor', level: 'owner' },
      { user: 'mo', role: 'member', level: 'viewer' },
    ])
    expect(await refusal(list('mo'))).toBe('DIRECTORY_FORBIDDEN')
  })

  engine.with('S1.18 workspace roles change and end at any time, with all that they gave', async (d) => {
    await d.person('ana', 'acme', akenza)
    await d.person('mo')
    await d.joins('mo', 'acme', 'member', 'ana')
    const mill = await create(d, 'ana', 'Mill')
    const rename = () =>
      refusal(d.write.workspaces.update(d.as('mo', 'acme'), { org: 'acme', workspace: mill, name: 'Mill' }))
    const give = (level: 'viewer' | 'editor') =>
      done(
        d.write.workspaces.setLevel(d.as('ana', 'acme'), { org: 'acme', workspace: mill, user: 'mo', level }),
      )
    await give('viewer')
    expect(await rename()).toBe('DIRECTORY_FORBIDDEN')
    await give('editor')
    expect(await rename()).toBe('done')
    await give('viewer')
    expect(await rename()).toBe('DIRECTORY_FORBIDDEN')
    const end = { org: 'acme', workspace: mill, user: 'mo' }
    await done(d.write.workspaces.removeLevel(d.as('ana', 'acme'), end))
    expect([await rename(), await seen(d, 'mo')]).toEqual(['DIRECTORY_FORBIDDEN', []])
  })

  engine.with(
    'S1.19 workspace details are edited by its Admin and Editor, it is deleted by its Admin',
    async (d) => {
      await d.person('ana', 'acme', akenza)
      const mill = await create(d, 'ana', 'Mill')
      for (const level of ['owner', 'editor', 'viewer'] as const) {
        await d.person(level)
        await d.joins(level, 'acme', 'member', 'ana')
        const given = { org: 'acme', workspace: mill, user: level, level }
        await done(d.write.workspaces.setLevel(d.as('ana', 'acme'), given))
      }
      const edit = (by: string) =>
        refusal(
          d.write.workspaces.update(d.as(by, 'acme'), { org: 'acme', workspace: mill, description: by }),
        )
      expect([await edit('owner'), await edit('editor'), await edit('viewer')]).toEqual([
        'done',
        'done',
        'DIRECTORY_FORBIDDEN',
      ])
      const remove = (by: string) =>
        refusal(d.write.workspaces.remove(d.as(by, 'acme'), { org: 'acme', workspace: mill }))
      expect([await remove('viewer'), await remove('editor'), await remove('owner')]).toEqual([
        'DIRECTORY_FORBIDDEN',
        'DIRECTORY_FORBIDDEN',
        'done',
      ])
    },
  )
})
