import { expect } from 'vitest'
import { done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const setPublic = (d: TestDirectory, by: string, org: string, visibility: 'public' | 'private' = 'public') =>
  done(d.write.organisations.setVisibility(d.as(by, org), { org, visibility }))
const search = async (d: TestDirectory, by: string, org: string, name: string) =>
  (await done(d.ask.organisations.search(d.actor(by, org), { org, name }))).map(({ id }) => id)
const named = (name: string) => ({ name })

onBothEngines((engine) => {
  engine.with(
    'S0.26 nothing is found before the third letter, then public names that begin so',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('bea', 'borealis', named('Boréalis  Water'))
      await d.person('bob', 'boreas', named('BOREAS Wind'))
      await d.person('pia', 'private', named('Borussia'))
      await setPublic(d, 'bea', 'borealis')
      await setPublic(d, 'bob', 'boreas')
      const cases: [string, string[]][] = [
        ['Bo', []],
        ['Bor', ['borealis', 'boreas']],
        ['bORÉA', ['borealis', 'boreas']],
        ['boréalis water', ['borealis']],
        ['orealis', []],
        ['Borussia', []],
        ['Bor%', []],
        ['Bor_', []],
      ]
      for (const [letters, found] of cases)
        expect(await search(d, 'ana', 'acme', letters), letters).toEqual(found)
      // Neither oneself nor who was added already.
      expect(await search(d, 'bea', 'borealis', 'Bor')).toEqual(['boreas'])
      await done(d.write.policies.add(d.as('ana', 'acme'), { org: 'acme', name: 'Boreas wind' }))
      expect(await search(d, 'ana', 'acme', 'Bor')).toEqual(['borealis'])
    },
  )

  engine.with('S0.25 only those who manage policies may search', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bob')
    await d.joins('bob', 'acme', 'member', 'ana')
    expect(
      await refusal(d.ask.organisations.search(d.actor('bob', 'acme'), { org: 'acme', name: 'bor' })),
    ).toBe('DIRECTORY_FORBIDDEN')
  })

  engine.with(
    'S0.27 the other organisation is added by its full name only, and only while it is public',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('bea', 'borealis', named('Borealis Water'))
      const add = (name: string, more = {}) =>
        d.write.policies.add(d.as('ana', 'acme'), { org: 'acme', name, ...more })
      const absent = await add('Nobody at all')
      expect(await add('Borealis Water')).toEqual(absent)
      await setPublic(d, 'bea', 'borealis')
      expect(await refusal(add('Borealis'))).toBe('DIRECTORY_NOT_FOUND')
      expect(await refusal(add('Borealis Water'))).toBe('done')
      expect(await refusal(add('Borealis Water'))).toBe('DIRECTORY_EXISTS')
      // S0.24: what exists does not depend on visibility.
      await setPublic(d, 'bea', 'borealis', 'private')
      expect(await done(d.ask.policies.list(d.actor('ana', 'acme'), { org: 'acme' }))).toMatchObject([
        { to: 'borealis' },
      ])
    },
  )

  engine.with('two public organisations of one name are told apart by their handle', async (d) => {
    await d.person('ana', 'acme')
    for (const [person, org] of [
      ['bea', 'north'],
      ['bob', 'south'],
    ] as const) {
      await d.person(person, org, named('Water Works'))
      await setPublic(d, person, org)
    }
    const add = (more = {}) =>
      d.write.policies.add(d.as('ana', 'acme'), { org: 'acme', name: 'Water Works', ...more })
    expect(await add()).toMatchObject({ ok: false, code: 'DIRECTORY_INPUT_INVALID' })
    expect(await done(add({ to: 'south' }))).toMatchObject({ to: 'south' })
  })

  engine.with('S1.5 any user founds more organisations and owns them', async (d) => {
    await d.person('ana', 'acme')
    await done(d.write.organisations.create(d.as('ana'), { id: 'second', name: 'Second', workspace: 'Pit' }))
    const mine = await done(d.ask.organisations.mine(d.actor('ana'), {}))
    expect(mine.map(({ id, role }) => `${id} ${role ?? '-'}`)).toEqual(['acme owner', 'second owner'])
  })

  engine.with(
    'S1.9 details are edited by owner, admin and editor, S0.1 settings are not for members',
    async (d) => {
      await d.person('ana', 'acme', { preset: 'akenza' })
      for (const role of ['admin', 'editor', 'viewer', 'member']) {
        await d.person(role)
        await d.joins(role, 'acme', role, 'ana')
      }
      const update = (by: string) =>
        d.write.organisations.update(d.as(by, 'acme'), { org: 'acme', description: by })
      for (const by of ['ana', 'admin', 'editor']) expect(await refusal(update(by)), by).toBe('done')
      for (const by of ['viewer', 'member']) expect(await refusal(update(by)), by).toBe('DIRECTORY_FORBIDDEN')
      const visible = (by: string) =>
        d.write.organisations.setVisibility(d.as(by, 'acme'), { org: 'acme', visibility: 'public' })
      expect(await refusal(visible('editor'))).toBe('DIRECTORY_FORBIDDEN')
      expect(await refusal(visible('admin'))).toBe('done')
    },
  )

  engine.with(
    'the zone that days are billed in is for who pays, and takes effect with the next month',
    async (d) => {
      await d.person('ana', 'acme', { preset: 'akenza' })
      await d.person('ed')
      await d.joins('ed', 'acme', 'editor', 'ana')
      const update = (by: string, billingZone: string) =>
        d.write.organisations.update(d.as(by, 'acme'), { org: 'acme', billingZone })
      expect(await refusal(update('ed', 'Europe/Berlin'))).toBe('DIRECTORY_FORBIDDEN')
      expect(await refusal(update('ana', 'Mars/Olympus'))).toBe('DIRECTORY_INPUT_INVALID')
      await done(update('ana', 'Europe/Berlin'))
      // Thought better of: what has not begun is replaced.
      await done(update('ana', 'Asia/Tokyo'))
      const zones = await d.store.read.get('organisation', { id: 'acme' })
      const [only, ...more] = JSON.parse(zones?.billing_zones ?? '[]') as { from: string; zone: string }[]
      expect([only?.zone, more]).toEqual(['Asia/Tokyo', []])
      expect(only?.from).toBe('2026-02-01')
    },
  )

  engine.with('S2.11 only an owner deletes the organisation, with the password', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bob')
    await d.joins('bob', 'acme', 'admin', 'ana')
    const remove = (by: string, password: string) =>
      d.write.organisations.remove(d.as(by, 'acme'), { org: 'acme', password })
    expect(await refusal(remove('bob', 'bob-password'))).toBe('DIRECTORY_FORBIDDEN')
    expect(await refusal(remove('ana', 'not-her-password'))).toBe('DIRECTORY_PASSWORD_WRONG')
    expect(await refusal(remove('ana', 'ana-password'))).toBe('done')
    expect(await refusal(d.ask.organisations.details(d.actor('ana', 'acme'), { org: 'acme' }))).toBe(
      'DIRECTORY_NOT_FOUND',
    )
    expect(await refusal(d.write.organisations.create(d.as('ana'), { id: 'acme', name: 'Again' }))).toBe(
      'DIRECTORY_EXISTS',
    )
  })

  engine.with('the operator of the platform suspends, and belongs to no organisation', async (d) => {
    await d.person('ana', 'acme')
    const govern = (state: 'active' | 'suspended') =>
      d.write.organisations.govern(d.operator(), { org: 'acme', state, quotas: { devices: 10 } })
    await done(govern('suspended'))
    const details = () => refusal(d.ask.organisations.details(d.actor('ana', 'acme'), { org: 'acme' }))
    expect(await details()).toBe('DIRECTORY_NOT_FOUND')
    await done(govern('active'))
    expect(await details()).toBe('done')
    expect(await refusal(d.write.organisations.govern(d.as('ana', 'acme'), { org: 'acme' }))).toBe(
      'DIRECTORY_FORBIDDEN',
    )
    expect(await refusal(d.write.organisations.update(d.operator(), { org: 'acme', name: 'Mine' }))).toBe(
      'DIRECTORY_NOT_FOUND',
    )
  })

  engine.with('S2.1 a purchase makes an organisation once, and lands in the one there is', async (d) => {
    const buy = (purchase: string, email: string, company = 'Dämme & Söhne AG') =>
      done(d.write.platform.provision(d.operator(), { purchase, email, company, product: 'THREAD X3' }))
    const first = await buy('P-1', 'new@example.org')
    expect(first).toMatchObject({ made: true })
    expect(first.organisation).toMatch(/^damme-sohne-ag-[0-9a-f]{6}$/)
    expect(await buy('P-1', 'new@example.org')).toEqual({ ...first, made: false })
    expect(await buy('P-2', 'New@example.org')).toEqual({ ...first, made: false })
    // S2.5: who opens the mail with that address is the owner.
    await d.person('new')
    const invited = (await d.mailsTo('new@example.org')).find(({ body }) => body.includes('/invitation#'))
    const secret = /#(\S{43})/.exec(invited?.body ?? '')?.[1] ?? ''
    expect(await done(d.write.invitations.accept(d.as('new'), { secret }))).toMatchObject({ role: 'owner' })
    expect(await buy('P-3', 'new@example.org')).toEqual({ ...first, made: false })
    await d.person('ana', 'acme')
    expect(await buy('P-4', 'ana@example.org')).toEqual({ organisation: 'acme', made: false })
    const byHand = d.write.platform.provision(d.as('ana', 'acme'), {
      purchase: 'P-5',
      email: 'ana@example.org',
      company: 'X',
      product: 'Y',
    })
    expect(await refusal(byHand)).toBe('DIRECTORY_FORBIDDEN')
  })
})
