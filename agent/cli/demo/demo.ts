import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AgentError } from '../../errors.ts'
import { type Answer, processTerminal, table } from '../output.ts'
import { type Account, account, settled } from './account.ts'
import { demoDevices, realField, simulatedField } from './field.ts'
import { demoLayout } from './layout.ts'
import { type PlannedFault, planFaults } from './plan.ts'
import { Rig } from './rig.ts'
import { createView } from './view.ts'
import { leaks, visibleTopics } from './visibility.ts'

export interface DemoOptions {
  readonly seconds: string
  readonly json?: boolean
  readonly real?: string
  readonly profile?: string
  readonly address: string
  readonly faults: boolean
  readonly keep?: string
}

const SECONDS_MIN = 5
const SECONDS_MAX = 86_400
const SHOW_MS = 500
const DRAIN_MS_MAX = 60_000
const POLICY_MS_MAX = 30_000

/**
 * `headgate demo`: cloud, gateway, wire, devices and clients on this machine; faults; then the account. Exit 1 where
 * anything was lost, doubled or seen by the wrong organisation.
 */
export async function runDemo(options: DemoOptions): Promise<Answer> {
  const seconds = Number(options.seconds)
  if (!(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX)) {
    throw new AgentError('USAGE', `--seconds ${options.seconds}: ${SECONDS_MIN} to ${SECONDS_MAX}`)
  }
  const devices = demoDevices(options)
  const real = options.real === undefined ? undefined : realField(options.real, options.profile ?? '')
  const dir =
    options.keep === undefined ? mkdtempSync(join(tmpdir(), 'headgate-demo-')) : resolve(options.keep)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const field = real ?? simulatedField({ devices, dir })
  const rig = new Rig({ layout: demoLayout(devices), field, dir })
  const run = new DemoRun(rig, {
    seconds,
    faults: options.faults && real === undefined,
    json: options.json === true,
  })
  try {
    return await run.whole()
  } finally {
    await rig.stop()
    if (options.keep === undefined) rmSync(dir, { recursive: true, force: true })
  }
}

class DemoRun {
  readonly #rig: Rig
  readonly #seconds: number
  readonly #faults: readonly PlannedFault[]
  readonly #live: boolean
  readonly #events: string[] = []
  readonly #leaked: string[] = []
  #started = 0
  #shareRevoked = false

  constructor(rig: Rig, how: { seconds: number; faults: boolean; json: boolean }) {
    this.#rig = rig
    this.#seconds = how.seconds
    const dead = rig.layout.devices.at(-1)?.id ?? ''
    this.#faults = how.faults ? planFaults(how.seconds, dead) : []
    this.#live = !how.json && process.stderr.isTTY
  }

  async whole(): Promise<Answer> {
    this.#say('starting cloud, gateway, wire and devices')
    await this.#rig.start()
    if (this.#wire() === 'tcp')
      processTerminal.err('socat is not here: the wire is on TCP, not on a pseudo-terminal\n')
    this.#started = Date.now()
    const showing = new AbortController()
    const shown = this.#show(showing.signal)
    try {
      // Both at once: a fault that could not be injected ends the demo, and not as nobody's error.
      await Promise.all([
        sleep(this.#seconds * 1000),
        ...this.#faults.map((planned) => this.#inject(planned)),
      ])
      return await this.#settled()
    } finally {
      showing.abort()
      await shown
    }
  }

  async #settled(): Promise<Answer> {
    this.#leaked.push(...leaks(this.#rig, this.#shareRevoked))
    this.#say('devices silent, waiting for what is still on its way')
    await this.#rig.quiet(DRAIN_MS_MAX * 2)
    return this.#answer(await this.#drain())
  }

  #wire(): 'pty' | 'tcp' {
    return this.#rig.field.line()['tcp'] === undefined ? 'pty' : 'tcp'
  }

  #say(text: string): void {
    const at = this.#started === 0 ? 0 : Math.round((Date.now() - this.#started) / 1000)
    this.#events.push(`${String(at).padStart(4)} s  ${text}`)
  }

  async #inject({ atMs, fault, says }: PlannedFault): Promise<void> {
    await sleep(atMs)
    this.#say(says)
    switch (fault.kind) {
      case 'unplug':
        return this.#rig.unplug(fault.ms)
      case 'dead-device':
        await this.#rig.field.silence(fault.device, fault.ms)
        return
      case 'link-cut':
        return this.#rig.cutLink(fault.ms)
      case 'kill-gateway':
        return this.#rig.killGateway()
      case 'kill-hardware':
        return this.#rig.killHardware()
      case 'kill-cloud':
        return this.#rig.killCloud()
      case 'revoke-share':
        return this.#revoke()
    }
  }

  /** Whatever was seen until now must have been allowed; from the moment the gateway applied it, the rest is not. */
  async #revoke(): Promise<void> {
    this.#leaked.push(...leaks(this.#rig, false))
    const before = await this.#policyVersion(0)
    await this.#rig.revoke()
    await this.#policyVersion(before)
    // What had left the broker before that may still be in a socket.
    await sleep(SHOW_MS)
    this.#shareRevoked = true
    for (const watcher of this.#rig.watchers) watcher.forget()
  }

  /** The version of the policy in force once it is above this one; the gateway may be away meanwhile. */
  async #policyVersion(above: number): Promise<number> {
    const until = Date.now() + POLICY_MS_MAX
    for (;;) {
      const version = (await this.#rig.gatewayState())?.policy.version ?? 0
      if (version > above) return version
      if (Date.now() > until)
        throw new AgentError('INTERNAL', `no policy after version ${above} came into force`)
      await sleep(100)
    }
  }

  async #drain(): Promise<Account> {
    const until = Date.now() + DRAIN_MS_MAX
    for (;;) {
      const found = await account(this.#rig)
      if (settled(found) || Date.now() > until) return found
      await sleep(1000)
    }
  }

  async #show(signal: AbortSignal): Promise<void> {
    const view = createView(processTerminal, { live: this.#live, columns: process.stderr.columns || 80 })
    while (!signal.aborted) {
      const gateway = await this.#rig.gatewayState()
      view.show({
        leftSeconds: this.#seconds - (Date.now() - this.#started) / 1000,
        events: this.#events,
        gateway,
        answered: this.#rig.field.answered()?.length ?? 0,
        linkBytes: this.#rig.link.bytes(),
        watched: this.#rig.watchers.map((watcher) => ({
          organisation: watcher.organisation,
          messages: [...watcher.received().values()].reduce((sum, count) => sum + count, 0),
        })),
        parts: this.#rig.parts(),
      })
      await sleep(SHOW_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async #answer(found: Account): Promise<Answer> {
    const bytes = this.#rig.link.bytes()
    const published = (await this.#rig.gatewayState())?.broker['published'] ?? 0
    const perAnswer = found.answered === 0 ? 0 : found.stored / Math.max(1, found.answered - found.inWindow)
    const report = {
      taken: found.stored + found.lost,
      answered: found.answered,
      stored: found.stored,
      published,
      cloud: found.cloud,
      billed: found.billed,
      lost: found.lost + found.mismatched,
      doubled: found.doubled + found.invented,
      inWindow: found.inWindow,
      leaked: this.#leaked.length,
      chainVerifies: found.chainVerifies,
      readingsPerAnswer: Number(perAnswer.toFixed(3)),
      linkBytesUp: bytes.up,
      linkBytesDown: bytes.down,
      bytesPerReading: found.cloud === 0 ? null : Number((bytes.up / found.cloud).toFixed(2)),
      seconds: this.#seconds,
      faults: this.#faults.map((planned) => planned.fault.kind),
      wire: this.#wire(),
      examples: [...found.examples, ...this.#leaked, ...(found.stored === 0 ? ['nothing was read'] : [])],
    }
    const good =
      found.stored > 0 &&
      settled(found) &&
      found.doubled + found.invented === 0 &&
      found.chainVerifies &&
      this.#leaked.length === 0
    const rows = Object.entries(report).filter(([, value]) => typeof value !== 'object')
    const text = [
      table(
        ['', ''],
        rows.map(([name, value]) => [name, String(value)]),
      ),
      '',
      ...visibleTopics(this.#rig),
      good
        ? 'nothing lost, nothing doubled, nobody saw what is not theirs'
        : `NOT AS PROMISED: ${report.examples.join('; ')}`,
    ].join('\n')
    return { json: report, text, exit: good ? 0 : 1 }
  }
}
