import { expect } from 'vitest'
import { done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const KEY = Buffer.alloc(32).toString('base64')
const MOTES = 40
const offline = (d: TestDirectory, resource: string, now = true) =>
  d.watch.observe({ kind: 'offline', resource, now })

/** Partner flow, owner pat; customer ranch, owner lea; GW-1 with motes. */
async function site(d: TestDirectory, motes = 2): Promise<{ link: string }> {
  await d.person('pat', 'flow', { type: 'partner', preset: 'meter.me', name: 'Flow' })
  const { link } = await done(
    d.write.links.createCustomer(d.as('pat', 'flow'), {
      org: 'flow',
      id: 'ranch',
      name: 'Ranch',
      lead: 'lea@example.org',
    }),
  )
  const secret = await d.secretFor('lea@example.org')
  await d.person('lea')
  await done(d.write.invitations.accept(d.as('lea'), { secret }))
  await done(d.write.gateways.register(d.operator(), { org: 'ranch', gateway: 'GW-1', publicKey: KEY }))
  for (let n = 1; n <= motes; n += 1) await mote(d, `mote-${n}`)
  return { link }
}
const mote = (d: TestDirectory, device: string) =>
  done(
    d.write.gateways.addDevice(d.as('pat', 'flow'), { org: 'ranch', gateway: 'GW-1', device, name: device }),
  )

onBothEngines((engine) => {
  engine.with('a gateway with forty motes goes offline: one alert, not forty', async (d) => {
    await site(d, MOTES)
    const motes = Array.from({ length: MOTES }, (_, n) => `GW-1/mote-${n + 1}`)
    let told = await offline(d, 'GW-1')
    for (const path of motes) told += await offline(d, path)
    expect(told).toBe(1)
    // It comes back; one mote is still away: that is news now.
    await offline(d, 'GW-1', false)
    for (const path of motes.slice(1)) await offline(d, path, false)
    expect([await offline(d, motes[0] ?? ''), await offline(d, motes[0] ?? '')]).toEqual([1, 0])
  })

  engine.with(
    'a mote that serves something is swapped before it is removed, and keeps alerting till then',
    async (d) => {
      await site(d)
      const asPat = () => d.as('pat', 'flow')
      const old = 'GW-1/mote-1'
      const { component } = await done(
        d.write.components.create(asPat(), { org: 'ranch', name: 'Well pump', device: old }),
      )
      const remove = () => refusal(d.write.gateways.removeDevice(asPat(), { org: 'ranch', device: old }))
      expect(await remove()).toBe('DIRECTORY_EXISTS')
      await mote(d, 'mote-9')
      const swap = (by: string, org: string) =>
        refusal(d.write.components.swap(d.as(by, org), { org: 'ranch', component, device: 'GW-1/mote-9' }))
      // Customers do not configure devices.
      expect([await swap('lea', 'ranch'), await swap('pat', 'flow')]).toEqual(['DIRECTORY_FORBIDDEN', 'done'])
      const [pump] = await done(d.ask.components.list(d.actor('lea', 'ranch'), { org: 'ranch' }))
      expect(pump).toMatchObject({ name: 'Well pump', device: 'GW-1/mote-9' })
      expect(pump?.history.map(({ device, until }) => [device, until === null])).toEqual([
        [old, false],
        ['GW-1/mote-9', true],
      ])
      // Swapped but not removed: its alerts go on.
      expect(await offline(d, old)).toBe(1)
      await offline(d, old, false)
      expect(await remove()).toBe('done')
      expect([await offline(d, old), await offline(d, 'GW-1/mote-9')]).toEqual([0, 1])
    },
  )

  engine.with(
    "a partner's own alert is told to them, shown as the partner's, and ends with the link",
    async (d) => {
      const { link } = await site(d)
      await done(
        d.write.alerts.create(d.as('pat', 'flow'), {
          org: 'ranch',
          name: 'Pressure',
          resource: 'GW-1/mote-1',
          watch: { kind: 'threshold', channel: 'pressure', above: 6 },
        }),
      )
      const measure = (value: number) =>
        d.watch.measure({ resource: 'GW-1/mote-1', channel: 'pressure', value })
      expect(await measure(7)).toBe(1)
      const listed = await done(
        d.ask.alerts.list(d.actor('lea', 'ranch'), { org: 'ranch', resource: 'GW-1/mote-1' }),
      )
      expect(listed).toMatchObject([{ owner: { kind: 'organisation', id: 'flow' } }])
      const thing = { kind: 'device', resource: 'GW-1/mote-1' } as const
      await d.person('mo')
      await done(
        d.write.invitations.invite(d.as('lea', 'ranch'), {
          org: 'ranch',
          email: 'mo@example.org',
          role: 'customer-viewer',
        }),
      )
      await done(d.write.invitations.accept(d.as('mo'), { secret: await d.secretFor('mo@example.org') }))
      await done(
        d.write.shares.share(d.as('pat', 'flow'), { org: 'ranch', thing, to: { kind: 'user', user: 'mo' } }),
      )
      const shares = await done(d.ask.shares.list(d.actor('lea', 'ranch'), { org: 'ranch', thing }))
      expect(shares).toMatchObject([{ grantedBy: { kind: 'organisation', id: 'flow' } }])
      const own = await done(d.ask.shares.list(d.actor('pat', 'flow'), { org: 'ranch', thing }))
      expect(own).toMatchObject([{ grantedBy: { kind: 'user', id: 'pat' } }])
      await done(d.write.links.terminate(d.as('lea', 'ranch'), { org: 'ranch', link }))
      expect([await measure(1), await measure(8)]).toEqual([0, 0])
    },
  )

  engine.with('a mail tells nobody what they may not read any more', async (d) => {
    await d.person('ana', 'acme')
    for (const name of ['bas', 'tim']) {
      await d.person(name)
      await d.joins(name, 'acme', 'member', 'ana')
    }
    const asAna = () => d.as('ana', 'acme')
    await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-1', publicKey: KEY }))
    await done(
      d.write.gateways.addDevice(asAna(), { org: 'acme', gateway: 'GW-1', device: 'tilt', name: 'Tilt' }),
    )
    const { team } = await done(
      d.write.teams.create(asAna(), { org: 'acme', handle: 'night', name: 'Night' }),
    )
    await done(d.write.teams.setMember(asAna(), { org: 'acme', team, user: 'tim' }))
    const resource = 'GW-1/tilt'
    const thing = { kind: 'device', resource } as const
    const to = { kind: 'user', user: 'bas' } as const
    const { grant } = await done(d.write.shares.share(asAna(), { org: 'acme', thing, to, level: 'editor' }))
    for (const watch of [{ kind: 'threshold', channel: 'level', above: 6 }, { kind: 'offline' }] as const)
      await done(
        d.write.alerts.create(d.as('bas', 'acme'), {
          org: 'acme',
          name: 'Mine',
          resource,
          watch,
          team: 'night',
        }),
      )
    const told = async (): Promise<number[]> => {
      const high = await d.watch.measure({ resource, channel: 'level', value: 7 })
      const away = await offline(d, resource)
      await d.watch.measure({ resource, channel: 'level', value: 1 })
      await offline(d, resource, false)
      return [high, away]
    }
    // The team is tagged, which gives its people nothing.
    expect(await told()).toEqual([1, 1])
    await done(d.write.shares.revoke(asAna(), { org: 'acme', grant }))
    expect(await told()).toEqual([0, 0])
    await done(d.write.shares.share(asAna(), { org: 'acme', thing, to: { kind: 'team', handle: 'night' } }))
    expect(await told()).toEqual([1, 1])
  })
})
