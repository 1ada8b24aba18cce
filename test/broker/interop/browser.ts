import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'

const MQTT_JS = resolve(import.meta.dirname, '../../../node_modules/mqtt/dist/mqtt.min.js')
const PAGE = resolve(import.meta.dirname, 'browser-page.html')
const REPORT_MS_MAX = 40_000

/** What a page is told to do; see browser-page.html. */
export interface PageTask {
  /** The listener. */
  readonly url: string
  readonly username: string
  readonly password: string
}

/** What `browser-page.html` says it has seen. */
export interface PageReport {
  readonly failed?: string
  readonly origin: string
  readonly received?: readonly { topic: string; bytes: number; qos: number; retain: boolean }[]
  readonly will?: string
  readonly queued?: readonly string[]
}

export interface BrowserOptions {
  /** The host by which the page is reached. */
  readonly host: '127.0.0.1' | 'localhost'
  /** SHA-256 of a public key to be trusted, in base64. */
  readonly pin?: string
}

/** Loads a page with MQTT.js's browser bundle in Chromium and waits for what the page reports. */
export async function inBrowser(task: PageTask, { host, pin }: BrowserOptions): Promise<PageReport> {
  const pages = await servePages(task)
  const profile = await mkdtemp(join(tmpdir(), 'headgate-chromium-'))
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-extensions',
    '--no-first-run',
    '--no-proxy-server',
    `--user-data-dir=${profile}`,
    ...(pin === undefined ? [] : [`--ignore-certificate-errors-spki-list=${pin}`]),
  ]
  const browser = spawn('chromium', [...flags, `http://${host}:${pages.port}/`], {
    stdio: 'ignore',
    detached: true, // a group of its own, so that its helpers end with it
    env: { ...process.env, HOME: profile },
  })
  const gone = once(browser, 'exit')
  onTestFinished(async () => {
    if (browser.pid !== undefined && browser.exitCode === null) process.kill(-browser.pid, 'SIGKILL')
    await gone
    pages.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  })
  const died = gone.then(() => {
    throw new Error('chromium ended without a report')
  })
  return Promise.race([pages.report, died])
}

/** The page, its script and task, and the place where it posts its report. */
async function servePages(
  task: PageTask,
): Promise<{ port: number; report: Promise<PageReport>; close: () => void }> {
  const posted = new EventEmitter()
  const report = once(posted, 'report', { signal: AbortSignal.timeout(REPORT_MS_MAX) })
  const files: Record<string, [type: string, body: string]> = {
    '/': ['text/html', readFileSync(PAGE, 'utf8')],
    '/task': ['application/json', JSON.stringify(task)],
    '/mqtt.min.js': ['text/javascript', readFileSync(MQTT_JS, 'utf8')],
  }
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      bodyOf(request).then(
        (body) => {
          posted.emit('report', JSON.parse(body))
          response.end()
        },
        (error: unknown) => posted.emit('error', error),
      )
      return
    }
    const [type, body] = files[request.url ?? ''] ?? ['text/plain', '']
    response.writeHead(body === '' ? 404 : 200, { 'content-type': type }).end(body)
  })
  server.listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    report: report.then(([one]) => one as PageReport),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
