import { expect } from 'vitest'
import { done, onBothEngines, refusal } from '../../../support/directory-world.ts'

const KEY = Buffer.alloc(32).toString('base64')

onBothEngines((engine) => {
  engine.with(
    'S4.17 the migration preserves access exactly, may be run again, and first on paper',
    async (d) => {
      const person = (name: string) => ({
        foreign: `u-${name}`,
        username: name,
        email: `${name}@example.org`,
        name,
      })
      const input = (partnerId = 'flow') => ({
        source: 'old-app',
        partner: { id: partnerId, name: 'Flow' },
        team: [{ ...person(`sue-${partnerId}`), role: 'super-installer' as const }],
        customer: { foreign: 'c-1', id: 'ranch', name: 'Ranch' },
        systems: [
          { foreign: 's-1', name: 'House', users: [{ ...person('lea'), level: 'editor' as const }] },
          {
            foreign: 's-2',
            name: 'Barn',
            users: [
              { ...person('lea'), level: 'viewer' as const },
              { ...person('mo'), level: 'viewer' as const },
            ],
          },
        ],
      })
      const whole = { organisations: 2, links: 1, systems: 2, accounts: 3, memberships: 3, levels: 3 }
      const nothing = { organisations: 0, links: 0, systems: 0, accounts: 0, memberships: 0, levels: 0 }
      const operator = d.operator().actor
      expect(await done(d.ask.platform.rehearse(operator, input()))).toEqual(whole)
      expect(await d.store.read.find('organisation', {})).toEqual([])
      expect(await done(d.write.platform.migrate(d.operator(), input()))).toEqual(whole)
      expect(await done(d.write.platform.migrate(d.operator(), input()))).toEqual(nothing)
      const workspaces = async (user: string) =>
        (await done(d.ask.workspaces.list(d.actor(user, 'ranch'), { org: 'ranch' })))
          .map(({ name }) => name)
          .sort()
      const grants = await d.store.read.find('grant', { state: 'live' })
      expect(grants.map(({ principal, level }) => `${principal} ${level}`).sort()).toEqual([
        'lea editor',
        'lea viewer',
        'mo viewer',
      ])
      expect(await workspaces('mo')).toEqual(['Barn'])
      // What was taken away since stays away; a second partner is a second link.
      const mo = await d.store.read.get('grant', { principal: 'mo' })
      if (mo === undefined) throw new Error('no grant')
      const remove = { org: 'ranch', workspace: mo.resource, user: 'mo' }
      await done(d.write.workspaces.removeLevel(d.as('sue-flow', 'flow'), remove))
      expect(await done(d.write.platform.migrate(d.operator(), input('other')))).toEqual({
        ...nothing,
        organisations: 1,
        links: 1,
        accounts: 1,
        memberships: 1,
      })
      expect(await workspaces('mo')).toEqual([])
      expect(await d.store.read.find('management_link', { org: 'ranch' })).toHaveLength(2)
      expect(await refusal(d.write.platform.migrate(d.as('lea', 'ranch'), input()))).toBe(
        'DIRECTORY_FORBIDDEN',
      )
    },
  )

  engine.with(
    'a threshold tells its owner, the tagged team and whom it is shared with, if they may read it',
    async (d) => {
      await d.person('ana', 'acme')
      for (const name of ['bob', 'cy', 'dan']) {
        await d.person(name)
        await d.joins(name, 'acme', 'member', 'ana')
      }
      await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-9', publicKey: KEY }))
      const device = { org: 'acme', gateway: 'GW-9', device: 'tilt-1', name: 'Tilt' }
      await done(d.write.gateways.addDevice(d.as('ana', 'acme'), device))
      const { team } = await done(
        d.write.teams.create(d.as('ana', 'acme'), { org: 'acme', handle: 'crew', name: 'C' }),
      )
      await done(d.write.teams.setMember(d.as('ana', 'acme'), { org: 'acme', team, user: 'bob' }))
      const { alert } = await done(
        d.write.alerts.create(d.as('ana', 'acme'), {
          org: 'acme',
          name: 'Tilts',
          resource: 'GW-9/tilt-1',
          watch: { kind: 'threshold', channel: 'angle', above: 5, below: -5 },
          team: 'crew',
        }),
      )
      const thing = { kind: 'alert', resource: alert } as const
      const show = (shown: { kind: 'alert' | 'device'; resource: string }, to: object) =>
        done(d.write.shares.share(d.as('ana', 'acme'), { org: 'acme', thing: shown, to: to as never }))
      for (const user of ['cy', 'dan']) await show(thing, { kind: 'user', user })
      const tilt = { kind: 'device', resource: 'GW-9/tilt-1' } as const
      await show(tilt, { kind: 'user', user: 'cy' })
      await show(tilt, { kind: 'team', handle: 'crew' })
      const measure = (value: number, channel = 'angle') =>
        d.watch.measure({ resource: 'GW-9/tilt-1', channel, value })
      expect([await measure(5), await measure(-5), await measure(9, 'temperature')]).toEqual([0, 0, 0])
      expect(await measure(5.1)).toBe(3)
      const mails = await d.store.read.find('mail', {
        subject: 'Alert: GW-9/tilt-1 is out of bounds: angle is 5.1',
      })
      expect(mails.map(({ recipient }) => recipient).sort()).toEqual(
        ['ana', 'bob', 'cy'].map((who) => `${who}@example.org`),
      )
      expect([await measure(6), await measure(0), await measure(-6)]).toEqual([0, 0, 3])
      const byMember = d.write.alerts.remove(d.as('dan', 'acme'), { org: 'acme', alert })
      expect(await refusal(byMember)).not.toBe('done')
    },
  )
})
