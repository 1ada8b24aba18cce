import { expect } from 'vitest'
import { browserPage } from '../../../support/chromium.ts'
import { serveDirectory } from '../../../support/directory-api.ts'
import { testWith } from '../../../support/peers.ts'

testWith('chromium')(
  'who is invited signs up, confirms, accepts and chooses another password by the links of the mails alone',
  { timeout: 120_000 },
  async () => {
    const api = await serveDirectory()
    await api.directory.person('ana')
    const anas = await api.session('ana')
    const founding = { id: 'acme', name: 'Acme' }
    await api.ask(anas, '/v1/organisations', { method: 'POST', body: founding })
    const inviting = { email: 'ben@example.org', role: 'viewer' }
    const invited = await api.ask(anas, '/v1/organisations/acme/invitations', {
      method: 'POST',
      body: inviting,
    })
    expect(invited.status).toBe(201)
    const linkTo = async (): Promise<string> => {
      const body = (await api.directory.mailsTo('ben@example.org')).at(-1)?.body ?? ''
      const link = new URL(/https?:\S+/.exec(body)?.[0] ?? '')
      return `${api.url}${link.pathname}${link.hash}`
    }
    const invitation = await linkTo()
    const page = await browserPage()

    await page.open(`${api.url}/sign-up`)
    const account = { name: 'Ben', username: 'ben', email: 'ben@example.org' }
    await page.fill({ ...account, password: 'short' })
    await page.click('Sign up')
    await page.sees(/password: /)
    await page.fill({ password: 'bens-password' })
    await page.click('Sign up')
    await page.sees(/Welcome, ben/)

    // Before the address is confirmed it opens nothing, and the mail to confirm it comes once more.
    await page.open(invitation)
    await page.fill({ login: 'ben', password: 'bens-password' })
    await page.click('Accept')
    await page.sees(/on its way to ben@example\.org, then come back/)
    await page.open(await linkTo())
    // Scanners of mails open links: that alone uses none up.
    await page.open(await linkTo())
    await page.click('Confirm')
    await page.sees(/ben@example\.org is confirmed/)
    expect(await page.value('location.hash')).toBe('')

    await page.open(invitation)
    await page.fill({ login: 'ben', password: 'wrong-password' })
    await page.click('Accept')
    await page.sees(/user name or password is wrong/)
    await page.fill({ login: 'ben', password: 'bens-password' })
    await page.click('Accept')
    await page.sees(/You are in acme now, as viewer/)
    const members = await api.ask(anas, '/v1/organisations/acme/members')
    expect(members.body['items']).toMatchObject([{ user: 'ana' }, { user: 'ben', role: 'viewer' }])
    await page.open(invitation)
    await page.fill({ login: 'ben', password: 'bens-password' })
    await page.click('Accept')
    await page.sees(/expired|used|not/)

    await api.ask(undefined, '/v1/password-resets', { method: 'POST', body: { email: 'ben@example.org' } })
    await page.open(await linkTo())
    await page.fill({ password: 'another-password', again: 'another-pasword' })
    await page.click('Change')
    await page.sees(/differ/)
    await page.fill({ password: 'another-password', again: 'another-password' })
    await page.click('Change')
    await page.sees(/password of ben is changed/)
    const again = { login: 'ben', password: 'another-password' }
    expect((await api.ask(undefined, '/v1/sessions', { method: 'POST', body: again })).status).toBe(201)

    await page.open(`${api.url}/verify`)
    await page.sees(/lacks its code/)
  },
)
