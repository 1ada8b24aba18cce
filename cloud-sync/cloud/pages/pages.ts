import { Hono, type MiddlewareHandler } from 'hono'
import { html } from 'hono/html'
import { SCRIPT } from './script.ts'

const STYLE = `:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}
body{max-width:26rem;margin:10vh auto;padding:0 1rem}
label{display:block;margin:.8rem 0 .2rem}
input{width:100%;box-sizing:border-box;font:inherit;padding:.45rem}
button{font:inherit;padding:.45rem 1rem;margin:1.2rem .6rem 0 0}
output{display:block;margin-top:1.2rem;min-height:1.5em}
.failed{color:#b3261e}.done{color:#1b7f3b}
@media (prefers-color-scheme:dark){.failed{color:#ffb4ab}.done{color:#8bd8a0}}
`

/** Of these pages alone: their own script and style, and questions to the address that they come from. */
const pagePolicy: MiddlewareHandler = async (c, next) => {
  await next()
  c.header(
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  )
}

interface Field {
  readonly name: string
  readonly label: string
  readonly type: 'text' | 'email' | 'password'
  /** What password managers and browsers fill in. */
  readonly autocomplete: string
}
interface Page {
  readonly path: string
  readonly title: string
  readonly says: string
  readonly fields: readonly Field[]
  /** The script's deeds and what stands on their buttons; the first is the one of the Enter key. */
  readonly buttons: readonly (readonly [deed: string, text: string])[]
  /** Whether the link has a secret behind its `#`. */
  readonly needsSecret: boolean
}

const password = (label: string, name = 'password', autocomplete = 'new-password'): Field => ({
  ...{ name, label, type: 'password', autocomplete },
})
const text = (name: string, label: string, autocomplete: string, type: Field['type'] = 'text'): Field => ({
  ...{ name, label, type, autocomplete },
})

const PAGES: readonly Page[] = [
  {
    path: '/verify',
    title: 'Confirm your address',
    says: 'Confirm that the mailbox in which you found this link is yours.',
    fields: [],
    buttons: [['verify', 'Confirm']],
    needsSecret: true,
  },
  {
    path: '/reset',
    title: 'Choose a new password',
    says: 'Every session of yours ends; API keys and tokens stay.',
    fields: [password('New password'), password('Once more', 'again')],
    buttons: [['reset', 'Change']],
    needsSecret: true,
  },
  {
    path: '/invitation',
    title: 'Invitation',
    says: 'Sign in with the address to which the invitation was sent.',
    fields: [
      text('login', 'User name or e-mail address', 'username'),
      password('Password', 'password', 'current-password'),
    ],
    buttons: [
      ['accept', 'Accept'],
      ['decline', 'Decline'],
    ],
    needsSecret: true,
  },
  {
    path: '/sign-up',
    title: 'Sign up',
    says: 'Whoever was invited uses the address to which the invitation was sent.',
    fields: [
      text('name', 'Your name', 'name'),
      text('username', 'User name; it cannot be changed', 'username'),
      text('email', 'E-mail address', 'email', 'email'),
      password('Password'),
    ],
    buttons: [['sign-up', 'Sign up']],
    needsSecret: false,
  },
]

const shown = ({ title, says, fields, buttons, needsSecret, path }: Page) => html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>${title} · Headgate</title>
<link rel="stylesheet" href="/pages.css">
<h1>${title}</h1>
<p>${says}</p>
<form data-needs="${needsSecret ? 'secret' : 'nothing'}">
${fields.map(({ name, label, type, autocomplete }) => html`<label for="${name}">${label}</label><input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" required>`)}
<p>${buttons.map(([deed, word]) => html`<button value="${deed}">${word}</button>`)}</p>
</form>
<output role="status"></output>
${path === '/invitation' ? html`<p>No account yet? <a href="/sign-up" target="_blank" rel="noopener">Sign up</a>, then come back to this page.</p>` : ''}
<script src="/pages.js"></script>
</html>
`

/** The pages to which the links of mails lead: they ask the HTTP API of the same address, and may nothing that it does not. */
export function pageRoutes(): Hono {
  const app = new Hono()
  for (const page of PAGES) app.get(page.path, pagePolicy, (c) => c.html(shown(page)))
  app.get('/pages.js', (c) => c.body(SCRIPT, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }))
  app.get('/pages.css', (c) => c.body(STYLE, 200, { 'Content-Type': 'text/css; charset=utf-8' }))
  return app
}
