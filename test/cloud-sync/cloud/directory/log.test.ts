import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { rebuildDirectory } from '../../../../cloud-sync/cloud/directory/index.ts'
import { type DirectoryStore, openDirectoryStore } from '../../../../cloud-sync/cloud/storage/index.ts'
import { done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const create = (d: TestDirectory, key: string, id: string) =>
  d.write.organisations.create({ actor: d.actor('ana'), key }, { id, name: id })

onBothEngines((engine) => {
  engine.with('every change is one entry of its chain, each chained to the one before', async (d) => {
    await d.person('ana', 'acme')
    const asAna = () => d.as('ana', 'acme')
    await done(d.write.organisations.setVisibility(asAna(), { org: 'acme', visibility: 'public' }))
    await done(d.write.organisations.update(asAna(), { org: 'acme', name: 'Acme Mining' }))
    const entries = await d.store.read.find('policy_log', { chain: 'org:acme' }, { orderBy: ['seq'] })
    expect(entries.map(({ seq, kind }) => `${seq} ${kind}`)).toEqual([
      '1 user.sign-up',
      '2 organisation.set-visibility',
      '3 organisation.update',
    ])
    let prev = '0'.repeat(64)
    for (const { entry, hash } of entries) {
      expect(JSON.parse(entry)).toMatchObject({ prev, chain: 'org:acme' })
      expect(createHash('sha256').update(entry).digest('hex')).toBe(hash)
      prev = hash
    }
    const audit = await d.store.read.find('audit', { org: 'acme' }, { orderBy: ['position'] })
    expect(
      audit.map(({ what, actor, actor_org }) => `${what} ${actor} ${actor_org ?? '-'}`).slice(1),
    ).toEqual(['organisation.set-visibility ana acme', 'organisation.update ana acme'])
  })

  engine.with('a refused write leaves no row, no entry and no mail, but a line in the audit', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bob')
    await d.joins('bob', 'acme', 'member', 'ana')
    const before = await d.store.read.find('policy_log', {})
    const mails = await d.store.read.find('mail', {})
    const refused = d.write.invitations.invite(d.as('bob', 'acme'), { org: 'acme', email: 'x@example.org' })
    expect(await refusal(refused)).toBe('DIRECTORY_FORBIDDEN')
    expect(await d.store.read.find('policy_log', {})).toEqual(before)
    expect(await d.store.read.find('mail', {})).toEqual(mails)
    const last = (await d.store.read.find('audit', { actor: 'bob' }, { orderBy: ['position'] })).at(-1)
    expect(last).toMatchObject({ org: 'acme', what: 'invitation.invite', outcome: 'DIRECTORY_FORBIDDEN' })
  })

  engine.with('a repeated write has one effect and the same answer', async (d) => {
    await d.person('ana')
    const first = await create(d, 'once', 'acme')
    expect(first).toMatchObject({ ok: true, repeated: false, value: { organisation: 'acme' } })
    expect(await create(d, 'once', 'acme')).toMatchObject({
      ok: true,
      repeated: true,
      value: { organisation: 'acme' },
    })
    expect(await create(d, 'once', 'other')).toMatchObject({ ok: false, code: 'DIRECTORY_KEY_REUSED' })
    expect(await create(d, 'twice', 'acme')).toMatchObject({ ok: false, code: 'DIRECTORY_EXISTS' })
    expect(await d.store.read.find('policy_log', { chain: 'org:acme' })).toHaveLength(1)
  })

  engine.with('the same key with another password is another write', async (d) => {
    const signUp = (password: string) =>
      d.write.users.signUp(
        { actor: { kind: 'visitor', address: '192.0.2.1' }, key: 'once' },
        { username: 'zoe', email: 'zoe@example.org', password, name: 'Zoe' },
      )
    expect(await signUp('first-password')).toMatchObject({ ok: true, repeated: false })
    expect(await signUp('first-password')).toMatchObject({ ok: true, repeated: true })
    expect(await signUp('second-password')).toMatchObject({ ok: false, code: 'DIRECTORY_KEY_REUSED' })
    const change = (password: string, newPassword: string) =>
      d.write.users.changePassword({ actor: d.actor('zoe'), key: 'change' }, { password, newPassword })
    expect(await change('first-password', 'third-password')).toMatchObject({ ok: true, repeated: false })
    expect(await change('first-password', 'third-password')).toMatchObject({ ok: true, repeated: true })
    expect(await change('first-password', 'other-password')).toMatchObject({ code: 'DIRECTORY_KEY_REUSED' })
  })

  engine.with('nobody writes refused attempts into a stranger’s audit', async (d) => {
    await d.person('ana', 'acme')
    await d.person('mal', 'malorg')
    await d.person('pat', 'flow', { type: 'partner' })
    const linesOf = async (org: string) =>
      (await d.store.read.find('audit', { org }, { orderBy: ['position'] })).map(
        ({ what, outcome }) => `${what} ${outcome}`,
      )
    const before = await linesOf('acme')
    const asking = d.write.links.ask(d.as('mal', 'malorg'), { org: 'malorg', customer: 'acme' })
    expect(await refusal(asking)).toBe('DIRECTORY_FORBIDDEN')
    // Nor in its name: only the password is looked at before the membership.
    const deleting = d.write.organisations.remove(d.as('mal', 'acme'), { org: 'acme', password: 'guessed' })
    expect(await refusal(deleting)).toBe('DIRECTORY_PASSWORD_WRONG')
    expect(await linesOf('acme')).toEqual(before)
    expect((await linesOf('malorg')).at(-1)).toBe('link.ask DIRECTORY_FORBIDDEN')
    // Who acts there by a link is seen there.
    await done(d.write.links.ask(d.as('pat', 'flow'), { org: 'flow', customer: 'acme' }))
    const [{ link } = { link: '' }] = (await done(d.ask.links.list(d.actor('ana', 'acme'), { org: 'acme' })))
      .managedBy
    await done(d.write.links.accept(d.as('ana', 'acme'), { org: 'acme', link }))
    const visibility = { org: 'acme', visibility: 'public' } as const
    const byPartner = d.write.organisations.setVisibility(d.as('pat', 'flow'), visibility)
    expect(await refusal(byPartner)).toBe('DIRECTORY_FORBIDDEN')
    expect((await linesOf('acme')).at(-1)).toBe('organisation.set-visibility DIRECTORY_FORBIDDEN')
  })

  engine.with('answers and sessions are forgotten when they are of no use, the log never', async (d) => {
    await d.person('ana')
    await create(d, 'once', 'acme')
    const { secret } = await done(
      d.doors.signIn({ login: 'ana', password: 'ana-password', address: '192.0.2.1' }),
    )
    const entries = await d.store.read.find('policy_log', {})
    const now = d.now()
    await d.store.transaction((tx) => tx.forget({ now, before: now - 60_000 }))
    expect(await create(d, 'once', 'acme')).toMatchObject({ ok: true, repeated: true })
    expect(await d.doors.sessionActor(secret, null)).toBeDefined()
    d.pass(40 * 24 * 3_600_000)
    await d.store.transaction((tx) => tx.forget({ now: d.now(), before: d.now() }))
    expect(await d.store.read.find('done_write', {})).toEqual([])
    expect(await d.store.read.find('session', {})).toEqual([])
    expect(await d.store.read.find('policy_log', {})).toEqual(entries)
  })

  engine.with('the same write ten times at once has one effect', async (d) => {
    await d.person('ana')
    const all = await Promise.all(Array.from({ length: 10 }, () => create(d, 'once', 'acme')))
    expect(all.every(({ ok }) => ok)).toBe(true)
    expect(all.filter((outcome) => outcome.ok && !outcome.repeated)).toHaveLength(1)
    expect(await d.store.read.find('policy_log', { chain: 'org:acme' })).toHaveLength(1)
  })

  engine.with('twenty writers of one organisation at once make one unbroken chain', async (d) => {
    await d.person('ana', 'acme')
    const writes = Array.from({ length: 20 }, (_, n) =>
      d.write.organisations.update(d.as('ana', 'acme'), { org: 'acme', description: `${n}` }),
    )
    for (const outcome of await Promise.all(writes)) expect(outcome.ok).toBe(true)
    const entries = await d.store.read.find('policy_log', { chain: 'org:acme' }, { orderBy: ['seq'] })
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 21 }, (_, n) => n + 1))
  })

  engine.with('an entry cannot be changed or deleted, and a log with another byte is refused', async (d) => {
    await d.person('ana', 'acme')
    const [first] = await d.store.read.find('policy_log', { chain: 'org:acme' })
    await expect(d.store.transaction((tx) => tx.drop('policy_log', { chain: 'org:acme' }))).rejects.toThrow(
      'append-only',
    )
    await expect(
      d.store.transaction((tx) => tx.put('policy_log', { ...first, kind: 'x' } as never)),
    ).rejects.toThrow('append-only')
    const forged: DirectoryStore = {
      ...d.store,
      read: {
        ...d.store.read,
        find: (async (...asked: Parameters<DirectoryStore['read']['find']>) =>
          (await d.store.read.find(...asked)).map((row) =>
            'entry' in row ? { ...row, entry: String(row.entry).replace('"ana"', '"eve"') } : row,
          )) as DirectoryStore['read']['find'],
      },
    }
    const empty = await openDirectoryStore(engine.target())
    await expect(rebuildDirectory(forged, empty)).rejects.toMatchObject({ code: 'DIRECTORY_LOG_BROKEN' })
    await empty.close()
  })
})
