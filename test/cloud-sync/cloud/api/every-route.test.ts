import { expect, test } from 'vitest'
import { type DirectoryApi, OPERATOR_TOKEN, serveDirectory } from '../../../support/directory-api.ts'
import { type ApiDocument, readDocument } from '../../../support/openapi.ts'

const PASSWORD = 'correct horse battery'
const PUBLIC_KEY = Buffer.alloc(32).toString('base64')

interface World {
  readonly api: DirectoryApi
  readonly doc: ApiDocument
  readonly ana: string
  readonly ben: string
  readonly call: ApiDocument['call']
}

test('every operation of the document does what it says', async () => {
  const api = await serveDirectory()
  const doc = await readDocument(api)
  const ana = await signsUp(api, doc)
  await api.directory.person('ben')
  await api.directory.person('zed', 'zeta')
  await api.directory.person('pat', 'pro', { type: 'partner', preset: 'meter.me' })
  const world = { api, doc, ana, ben: await api.session('ben'), call: doc.call }
  await organisations(world)
  await people(world)
  await groups(world)
  await machines(world)
  await sharing(world)
  await keys(world)
  await partners(world)
  await platform(world)
  await endings(world)
  const missing = doc.operations
    .map(({ operationId }) => operationId)
    // Transfers, hosting and claiming take several steps each and have tests of their own in the directory; so do bills.
    .filter(
      (id) =>
        !doc.called.has(id) &&
        !/^(transfers|workspaceTransfers|hosting|gatewayBlocks|claims|tickets|billing)\./.test(id),
    )
  expect(missing).toEqual([])
})

async function signsUp(api: DirectoryApi, { call }: ApiDocument): Promise<string> {
  const account = { username: 'ana', email: 'ana@example.org', password: PASSWORD, name: 'Ana' }
  await call('users.signUp', undefined, { ...account, organisation: { id: 'acme', name: 'Acme' } })
  await call('users.verifyEmail', undefined, { secret: await api.directory.secretFor('ana@example.org') })
  const { body } = await call('sessions.create', undefined, { login: 'ana', password: PASSWORD })
  const ana = String(body['secret'])
  await call('sessions.current', ana)
  await call('users.me', ana)
  await call('users.changeProfile', ana, { name: 'Ana B', tz: 'Europe/Zurich' })
  return ana
}

async function organisations({ api, call, ana }: World): Promise<void> {
  await call('organisations.create', ana, { id: 'beta', name: 'Beta' })
  expect(itemsOf(await call('organisations.mine', ana))).toHaveLength(2)
  await call('organisations.details', ana, { org: 'acme' })
  await call('organisations.update', ana, { org: 'acme', description: 'dams' })
  const zed = await api.session('zed')
  await call('organisations.setVisibility', zed, { org: 'zeta', visibility: 'public' })
  expect(itemsOf(await call('organisations.search', ana, { org: 'acme', name: 'zet' }))).toEqual([
    { id: 'zeta', name: 'zeta' },
  ])
  await call('policies.add', ana, { org: 'acme', name: 'zeta' })
  expect(itemsOf(await call('policies.list', ana, { org: 'acme' }))).toMatchObject([{ to: 'zeta' }])
  await call('policies.remove', ana, { org: 'acme', to: 'zeta' })
}

async function people({ api, call, ana, ben }: World): Promise<void> {
  const org = 'acme'
  const invite = (email: string) => call('invitations.invite', ana, { org, email, role: 'viewer' })
  const mailed = (): Promise<string> => api.directory.secretFor('ben@example.org')
  await invite('ben@example.org')
  await call('invitations.decline', ben, { secret: await mailed() })
  await invite('ben@example.org')
  await call('invitations.accept', ben, { secret: await mailed() })
  const { body } = await invite('cy@example.org')
  expect(itemsOf(await call('invitations.list', ana, { org }))).toMatchObject([{ id: body['invitation'] }])
  await call('invitations.revoke', ana, { org, invitation: body['invitation'] })
  await call('members.changeRole', ana, { org, user: 'ben', role: 'editor' })
  await call('members.suspend', ana, { org, user: 'ben' })
  await call('members.resume', ana, { org, user: 'ben' })
  const { role } = (await call('roles.create', ana, { org, name: 'Careful', without: ['device.operate'] }))
    .body
  await call('roles.update', ana, { org, role, name: 'Very careful' })
  expect(itemsOf(await call('roles.list', ana, { org }))).toMatchObject([{ name: 'Very careful' }])
  await call('members.setCustomRole', ana, { org, user: 'ben', role })
  await call('members.setCustomRole', ana, { org, user: 'ben', role: null })
  await call('roles.remove', ana, { org, role })
  expect(itemsOf(await call('members.list', ana, { org }))).toHaveLength(2)
}

async function groups({ call, ana }: World): Promise<void> {
  const org = 'acme'
  const { workspace } = (await call('workspaces.create', ana, { org, name: 'North' })).body
  await call('workspaces.update', ana, { org, workspace, description: 'the dam in the north' })
  await call('workspaces.allocate', ana, { org, workspace, quotas: { sensors: 5 } })
  const limits = await call('quotas.ofWorkspace', ana, { org, workspace })
  // `sensors` are no meter.
  expect(itemsOf(limits)).toEqual([])
  expect(itemsOf(await call('quotas.warnings', ana, { org }))).toEqual([])
  await call('quotas.metrics', ana, { org, workspace })
  const bought = { org, workspace, name: 'More', service: 'sensor.readings', amount: 9 }
  const { addOn } = (await call('quotas.grantAddOn', OPERATOR_TOKEN, bought)).body
  expect(itemsOf(await call('quotas.ofWorkspace', ana, { org, workspace }))).toMatchObject([{ limit: '9' }])
  await call('quotas.endAddOn', OPERATOR_TOKEN, { org, workspace, addOn })
  await call('workspaces.setLevel', ana, { org, workspace, user: 'ben', level: 'viewer' })
  expect(itemsOf(await call('workspaces.members', ana, { org, workspace }))).toMatchObject([{ user: 'ben' }])
  await call('workspaces.removeLevel', ana, { org, workspace, user: 'ben' })
  expect(itemsOf(await call('workspaces.list', ana, { org }))).toMatchObject([{ quotas: { sensors: 5 } }])
  await call('workspaces.remove', ana, { org, workspace })
  const { team } = (await call('teams.create', ana, { org, handle: 'night', name: 'Night' })).body
  await call('teams.update', ana, { org, team, name: 'Night shift' })
  await call('teams.setMember', ana, { org, team, user: 'ben', role: 'lead' })
  expect(itemsOf(await call('teams.list', ana, { org, handle: 'night' }))).toMatchObject([
    { members: [{ user: 'ben', role: 'lead' }] },
  ])
  await call('teams.removeMember', ana, { org, team, user: 'ben' })
  await call('teams.remove', ana, { org, team })
}

async function machines({ call, ana }: World): Promise<void> {
  const org = 'acme'
  const gateway = 'GW-1'
  await call('gateways.register', OPERATOR_TOKEN, { org, gateway, publicKey: PUBLIC_KEY })
  for (const device of ['tilt-1', 'tilt-2'])
    await call('gateways.addDevice', ana, { org, gateway, device, name: device })
  await call('gateways.setCustodian', ana, { org, gateway, user: 'ben' })
  await call('devices.setCustodian', ana, { org, gateway, device: 'tilt-1', user: null })
  const { component } = (await call('components.create', ana, { org, name: 'Crest', device: 'GW-1/tilt-1' }))
    .body
  await call('components.swap', ana, { org, component, device: 'GW-1/tilt-2' })
  expect(itemsOf(await call('components.list', ana, { org }))).toMatchObject([{ device: 'GW-1/tilt-2' }])
  await call('components.remove', ana, { org, component })
  // What is there is made at gateways only.
  expect(itemsOf(await call('gatewayBlocks.list', ana, { org }))).toEqual([])
  await call('gateways.removeDevice', ana, { org, gateway, device: 'tilt-2' })
}

async function sharing({ call, ana }: World): Promise<void> {
  const org = 'acme'
  const thing = { kind: 'gateway', resource: 'GW-1' }
  const { grant } = (await call('shares.share', ana, { org, thing, to: { kind: 'user', user: 'ben' } })).body
  expect(itemsOf(await call('shares.list', ana, { org, ...thing }))).toMatchObject([
    { grant, level: 'viewer' },
  ])
  await call('shares.legacy', ana, { org })
  const tilt = { kind: 'device', resource: 'GW-1/tilt-1' }
  await call('shares.share', ana, { org, thing: tilt, to: { kind: 'user', user: 'ben' } })
  expect(itemsOf(await call('shares.ofDevices', ana, { org }))).toMatchObject([
    { direction: 'given', device: 'tilt-1', to: { org, member: 'ben' } },
  ])
  const { body } = await call('shares.check', ana, { org, ...thing, right: 'data.read' })
  expect(body).toEqual({ allowed: true })
  await call('shares.revoke', ana, { org, grant })
  const content = { name: 'Crest', kind: 'graph', gateways: ['GW-1'], definition: { zoom: [1, null, 'x'] } }
  const { view } = (await call('views.save', ana, { org, ...content })).body
  await call('views.change', ana, { org, view, ...content, kind: 'map' })
  expect(itemsOf(await call('views.list', ana, { org }))).toMatchObject([{ kind: 'map', gateways: ['GW-1'] }])
  const shown = await call('views.show', ana, { org, view })
  expect(shown.body).toMatchObject({ kind: 'map', definition: content.definition })
  await call('views.remove', ana, { org, view })
  const watch = { kind: 'threshold', channel: 'tilt', above: 3 }
  const { alert } = (await call('alerts.create', ana, { org, name: 'Tilt', resource: 'GW-1/tilt-1', watch }))
    .body
  expect(itemsOf(await call('alerts.list', ana, { org, resource: 'GW-1/tilt-1' }))).toMatchObject([
    { id: alert, above: 3, below: null },
  ])
  await call('alerts.setOptOut', ana, { org, resource: 'GW-1', off: true })
  await call('alerts.remove', ana, { org, alert })
}

async function keys({ call, ana }: World): Promise<void> {
  const org = 'acme'
  await call('tokens.regenerateKey', ana, { org })
  const asked = { org, name: 'grafana', scope: 'read', expiresAt: null, password: PASSWORD }
  const { token } = (await call('tokens.create', ana, asked)).body
  expect(itemsOf(await call('tokens.list', ana, { org }))).toMatchObject([{ kind: 'api-key' }, { id: token }])
  expect(itemsOf(await call('tokens.listAll', ana, { org }))).toMatchObject([{ user: 'ana' }, { id: token }])
  await call('tokens.revoke', ana, { org, token })
  const [newest] = itemsOf(await call('audit.list', ana, { org, limit: 1 }))
  expect(newest).toMatchObject({ what: 'token.revoke', actor: { kind: 'user', id: 'ana' } })
}

async function partners({ api, call }: World): Promise<void> {
  const pat = await api.session('pat')
  const zed = await api.session('zed')
  await call('links.createCustomer', pat, { org: 'pro', id: 'cust', name: 'Customer', systems: ['Well'] })
  await call('links.ask', pat, { org: 'pro', customer: 'zeta' })
  const [asked] = itemsOf(await call('links.list', zed, { org: 'zeta' })) as [{ link: string }]
  expect(asked).toMatchObject({ direction: 'managed-by', org: 'pro', state: 'pending' })
  await call('links.accept', zed, { org: 'zeta', link: asked.link })
  expect(itemsOf(await call('links.list', pat, { org: 'pro' }))).toHaveLength(2)
  await call('links.terminate', zed, { org: 'zeta', link: asked.link })
}

async function platform({ call }: World): Promise<void> {
  const operator = OPERATOR_TOKEN
  const bought = { purchase: 'p-1', email: 'cy@example.org', company: 'Cy', product: 'Gateway' }
  await call('platform.provision', operator, bought)
  const moved = {
    source: 'older',
    partner: { id: 'pro', name: 'Pro' },
    team: [],
    customer: { foreign: 'c-1', id: 'moved', name: 'Moved' },
    systems: [{ foreign: 's-1', name: 'Well', users: [] }],
  }
  expect((await call('platform.rehearse', operator, moved)).body).toMatchObject({ organisations: 1 })
  expect((await call('platform.migrate', operator, moved)).body).toMatchObject({ organisations: 1 })
  await call('platform.setEmail', operator, { user: 'pat', email: 'pat@example.com' })
  await call('platform.makeOperator', operator, { user: 'pat' })
  expect(itemsOf(await call('platform.operators', operator))).toMatchObject([{ user: 'pat' }])
  await call('platform.endOperator', operator, { user: 'pat' })
  await call('platform.setFeature', operator, { feature: 'partners', on: false })
  await call('organisations.govern', operator, { org: 'acme', billing: 'external' })
}

async function endings({ api, call, ana, ben }: World): Promise<void> {
  await call('organisations.transferOwnership', ana, { org: 'acme', user: 'ben', password: PASSWORD })
  await call('members.leave', ana, { org: 'acme' })
  await call('organisations.remove', ana, { org: 'beta', password: PASSWORD })
  await call('users.requestReset', undefined, { email: 'ana@example.org' })
  const secret = await api.directory.secretFor('ana@example.org')
  await call('users.resetPassword', undefined, { secret, newPassword: 'another horse' })
  const again = await call('sessions.create', undefined, { login: 'ana', password: 'another horse' })
  await call('users.changePassword', String(again.body['secret']), {
    password: 'another horse',
    newPassword: PASSWORD,
  })
  await invites(api, ben)
  await call('members.remove', ben, { org: 'acme', user: 'zed' })
  await call('sessions.end', ben)
  expect((await api.ask(ben, '/v1/me')).status).toBe(401)
}

async function invites(api: DirectoryApi, ben: string): Promise<void> {
  await api.ask(ben, '/v1/organisations/acme/invitations', {
    method: 'POST',
    body: { email: 'zed@example.org', role: 'viewer' },
  })
  const secret = await api.directory.secretFor('zed@example.org')
  await api.ask(await api.session('zed'), '/v1/invitations/acceptance', { method: 'POST', body: { secret } })
}

const itemsOf = ({ body }: { body: Readonly<Record<string, unknown>> }): unknown[] =>
  body['items'] as unknown[]

test('nothing that needs somebody is done for nobody, and no write without its key', async () => {
  const api = await serveDirectory()
  const doc = await readDocument(api)
  await api.directory.person('ana', 'acme')
  const ana = await api.session('ana')
  for (const { method, path, security = [], parameters } of doc.operations) {
    const where = path.replaceAll(/\{(\w+)\}/g, 'x')
    api.passSeconds(60)
    if (security.length > 0)
      doc.expectProblem(await api.ask(undefined, where, { method }), 401, 'API_UNAUTHORISED')
    const takesKey = parameters.some(({ $ref }) => $ref === '#/components/parameters/key')
    const secret = path.startsWith('/v1/operator') ? OPERATOR_TOKEN : ana
    if (takesKey)
      doc.expectProblem(await api.ask(secret, where, { method, key: '' }), 400, 'API_REQUEST_INVALID')
    const other = await api.ask(secret, where, { method: 'PROPFIND' })
    doc.expectProblem(other, 405, 'API_METHOD_NOT_ALLOWED')
    expect(other.headers.get('Allow')).toContain(method)
  }
})
