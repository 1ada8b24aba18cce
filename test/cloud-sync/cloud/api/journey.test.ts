import { expect, test } from 'vitest'
import { serveDirectory } from '../../../support/directory-api.ts'

test('somebody signs up, founds an organisation, invites, and the invited one reads what they may', async () => {
  const api = await serveDirectory()
  const ana = {
    username: 'ana',
    email: 'ana@example.org',
    password: 'ana-password',
    name: 'Ana',
    organisation: { id: 'acme', name: 'Acme' },
  }
  expect(await api.ask(undefined, '/v1/users', { method: 'POST', body: ana })).toMatchObject({
    status: 201,
    body: { user: 'ana', organisation: 'acme', workspace: null },
  })
  await api.directory.person('ben')
  const anas = await api.session('ana')
  const invited = await api.ask(anas, '/v1/organisations/acme/invitations', {
    method: 'POST',
    body: { email: 'ben@example.org', role: 'viewer' },
  })
  expect(invited.status).toBe(201)

  const bens = await api.session('ben')
  expect((await api.ask(bens, '/v1/organisations/acme')).status).toBe(404)
  const secret = await api.directory.secretFor('ben@example.org')
  const joined = await api.ask(bens, '/v1/invitations/acceptance', { method: 'POST', body: { secret } })
  expect(joined).toMatchObject({ status: 200, body: { organisation: 'acme', role: 'viewer' } })
  expect((await api.ask(bens, '/v1/organisations/acme')).body).toMatchObject({ id: 'acme', name: 'Acme' })
  expect((await api.ask(bens, '/v1/organisations/acme/audit')).status).toBe(403)

  const members = await api.ask(anas, '/v1/organisations/acme/members')
  expect(members.body['items']).toMatchObject([{ user: 'ana' }, { user: 'ben', role: 'viewer' }])
  const audit = await api.ask(anas, '/v1/organisations/acme/audit?limit=1')
  expect(audit.body['items']).toMatchObject([{ what: 'invitation.accept', outcome: 'done' }])
  expect((await api.ask(bens, '/v1/me/memberships/acme', { method: 'DELETE' })).status).toBe(204)
  expect((await api.ask(bens, '/v1/organisations/acme')).status).toBe(404)
})
