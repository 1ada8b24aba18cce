/**
 * What the pages behind the links of mails do, in the browser. The secret stands behind the `#` of the link, which no
 * browser sends to any server: only the POST that a person asks for by a button carries it, so that a mail scanner that
 * opens links uses none up.
 */
export const SCRIPT = `'use strict'
const secret = location.hash.slice(1)
const form = document.querySelector('form')
const out = document.querySelector('output')
const field = (name) => form.elements.namedItem(name)
const keys = new Map()

async function ask(method, path, body, bearer) {
  const asked = JSON.stringify([path, body])
  // The same request again, after a cut, is the same request: it is not done twice.
  if (!keys.has(asked)) keys.set(asked, crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2) + Date.now())
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': keys.get(asked) }
  if (bearer) headers.Authorization = 'Bearer ' + bearer
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) })
  const text = await answer.text()
  const value = text === '' ? {} : JSON.parse(text)
  if (answer.ok) return value
  keys.delete(asked)
  throw Object.assign(new Error([value.detail || value.title, value.hint].filter(Boolean).join('. ')), { code: value.code })
}

async function signedIn(work) {
  const { secret: bearer } = await ask('POST', '/v1/sessions', { login: field('login').value, password: field('password').value })
  try {
    return await work(bearer)
  } finally {
    await ask('DELETE', '/v1/sessions/current', undefined, bearer)
  }
}

/** Whose address is not confirmed gets the mail for that once more. */
async function confirmFirst(error, bearer) {
  if (error.code !== 'DIRECTORY_ADDRESS_UNPROVEN') throw error
  const { email } = await ask('GET', '/v1/me', undefined, bearer)
  await ask('PATCH', '/v1/me', { email }, bearer)
  throw new Error('Open the link in the mail that is on its way to ' + email + ', then come back to this page.')
}

const DEEDS = {
  async verify() {
    const { email } = await ask('POST', '/v1/email-verifications', { secret })
    return email + ' is confirmed. You can close this page.'
  },
  async reset() {
    const newPassword = field('password').value
    if (newPassword !== field('again').value) throw new Error('The two passwords differ.')
    const { user } = await ask('POST', '/v1/password-resets/completion', { secret, newPassword })
    return 'The password of ' + user + ' is changed; every session has ended. You can close this page.'
  },
  async accept() {
    const { organisation, role } = await signedIn((bearer) => ask('POST', '/v1/invitations/acceptance', { secret }, bearer).catch((error) => confirmFirst(error, bearer)))
    return 'You are in ' + organisation + ' now, as ' + role + '.'
  },
  async decline() {
    const { organisation } = await signedIn((bearer) => ask('POST', '/v1/invitations/refusal', { secret }, bearer).catch((error) => confirmFirst(error, bearer)))
    return 'You have declined the invitation to ' + organisation + '.'
  },
  async 'sign-up'() {
    const body = { username: field('username').value, email: field('email').value, password: field('password').value, name: field('name').value }
    const { user } = await ask('POST', '/v1/users', { ...body, tz: Intl.DateTimeFormat().resolvedOptions().timeZone })
    return 'Welcome, ' + user + '. Open the link in the mail that is on its way to ' + body.email + ', then any invitation.'
  },
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const deed = event.submitter.value
  for (const button of form.querySelectorAll('button')) button.disabled = true
  out.textContent = 'One moment …'
  out.className = ''
  try {
    out.textContent = await DEEDS[deed]()
    out.className = 'done'
    form.reset()
    history.replaceState(null, '', location.pathname)
    form.hidden = true
  } catch (error) {
    out.textContent = error.message
    out.className = 'failed'
    for (const button of form.querySelectorAll('button')) button.disabled = false
  }
})
if (secret === '' && form.dataset.needs === 'secret') {
  form.hidden = true
  out.className = 'failed'
  out.textContent = 'This address lacks its code. Open it again from the mail, or copy it whole.'
}
`
