import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

const SEEN_MS_MAX = 60_000
const FLAGS = [
  ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-extensions'],
  ...['--no-proxy-server', '--remote-debugging-pipe'],
]

/** A page of Chromium that a test drives as a person would. */
export interface BrowserPage {
  open(url: string): Promise<void>
  /** Writes into the fields with these names. */
  fill(fields: Readonly<Record<string, string>>): Promise<void>
  /** Clicks the button with this text. */
  click(button: string): Promise<void>
  /** Waits until the page shows a text like this, and answers all that it shows. */
  sees(text: RegExp): Promise<string>
  /** What an expression in the page is. */
  value(expression: string): Promise<unknown>
}

/** Starts Chromium, driven over the DevTools protocol on a pipe; it ends with the test. */
export async function browserPage(): Promise<BrowserPage> {
  const profile = await mkdtemp(join(tmpdir(), 'headgate-chromium-'))
  const browser = spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, so that its helpers end with it
    env: { ...process.env, HOME: profile },
  })
  const gone = once(browser, 'exit')
  onTestFinished(async () => {
    if (browser.pid !== undefined && browser.exitCode === null) process.kill(-browser.pid, 'SIGKILL')
    await gone
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  })
  const call = protocolOn(browser.stdio[3] as Writable, browser.stdio[4] as Readable)
  const { targetInfos } = (await call('Target.getTargets')) as { targetInfos: Target[] }
  const targetId = targetInfos.find(({ type }) => type === 'page')?.targetId
  const { sessionId } = (await call('Target.attachToTarget', { targetId, flatten: true })) as Attached
  const value = async (expression: string): Promise<unknown> => {
    const answer = (await call(
      'Runtime.evaluate',
      { expression, returnByValue: true },
      sessionId,
    )) as Evaluated
    if (answer.exceptionDetails) throw new Error(JSON.stringify(answer.exceptionDetails))
    return answer.result.value
  }
  const text = JSON.stringify
  return {
    value,
    async open(url) {
      // From nowhere, so that another fragment of the same page is another visit.
      for (const next of ['about:blank', url]) await call('Page.navigate', { url: next }, sessionId)
      while ((await value('document.readyState')) !== 'complete') await sleep(50)
    },
    async fill(fields) {
      for (const [name, word] of Object.entries(fields))
        await value(`document.querySelector('[name=' + ${text(name)} + ']').value = ${text(word)}`)
    },
    async click(button) {
      await value(
        `[...document.querySelectorAll('button')].find((b) => b.textContent === ${text(button)}).click()`,
      )
    },
    async sees(wanted) {
      const late = Date.now() + SEEN_MS_MAX
      for (;;) {
        const shown = String(await value('document.body.innerText'))
        if (wanted.test(shown)) return shown
        if (Date.now() > late) throw new Error(`the page does not say ${String(wanted)}: ${shown}`)
        await sleep(50)
      }
    },
  }
}

interface Target {
  readonly type: string
  readonly targetId: string
}
interface Attached {
  readonly sessionId: string
}
interface Evaluated {
  readonly result: { readonly value?: unknown }
  readonly exceptionDetails?: object
}
type Call = (method: string, params?: object, sessionId?: string) => Promise<unknown>

/** Messages of JSON, each ended by NUL. */
function protocolOn(out: Writable, into: Readable): Call {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  let ids = 0
  let rest = ''
  into.setEncoding('utf8').on('data', (chunk: string) => {
    const texts = (rest + chunk).split('\0')
    rest = texts.pop() ?? ''
    for (const one of texts) {
      const { id, result, error } = JSON.parse(one) as { id?: number; result?: unknown; error?: object }
      if (id === undefined) continue
      if (error === undefined) waiting.get(id)?.resolve(result)
      else waiting.get(id)?.reject(new Error(JSON.stringify(error)))
    }
  })
  return (method, params = {}, sessionId) => {
    const id = (ids += 1)
    const answer = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }))
    out.write(`${JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) })}\0`)
    return answer
  }
}
