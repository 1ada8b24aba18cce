import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Enforcement } from '../../agent/enforcement.ts'
import { LocalPolicy, type LocalPrincipal } from '../../agent/policy/local-policy.ts'
import type { PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import type { Bench } from '../support/harness.ts'
import { largePolicy } from '../support/policies.ts'
import { PolicySigner } from '../support/policy-signer.ts'
import { GATEWAY, StoppedClock, testStore } from '../support/store.ts'

const MEMBERS = 200
const GRANTS = 500
/** Applied one after the other; the first few only warm up. */
const ROUNDS = 200
const WARM_UP = 20
/** Then the whole is sent again, as a gateway asks for it. */
const CHANGES_A_WHOLE = 50

type Taken = 'wallMs' | 'cpuMs'

/** Every other version has a share more, each time another one. */
function policyOf(version: number): PolicySnapshot {
  const all = largePolicy({ members: MEMBERS, grants: GRANTS + ROUNDS, version })
  const more = version % 2 === 0 ? all.grants.slice(GRANTS + (version % ROUNDS)).slice(0, 1) : []
  return { ...all, grants: [...all.grants.slice(0, GRANTS), ...more] }
}

/** A gateway's store on a real file with all that decides by it: 200 people are connected. */
class Site {
  readonly signer = new PolicySigner()
  readonly #folder = mkdtempSync(join(tmpdir(), 'headgate-bench-policy-'))
  readonly store
  readonly #people: LocalPrincipal[] = []
  readonly #policy: LocalPolicy

  constructor() {
    const clock = new StoppedClock()
    const trust = this.signer.root.publicKey
    this.store = testStore(this.#folder, { clock, trust, windowMs: 1 })
    const { issuedAt: at } = policyOf(1)
    const when = () => ({ place: 'gateway', at, signed: true }) as const
    this.#policy = new LocalPolicy({ gateway: GATEWAY, anonymous: 'none', when })
    const quiet = (): void => undefined
    const broker = {
      closeSessions: (isGone: (principal: LocalPrincipal) => boolean) => {
        for (const one of this.#people) isGone(one)
        return Promise.resolve(0)
      },
      dropRetained: () => Promise.resolve(0),
    }
    const log = { info: quiet, warn: quiet, error: quiet }
    const enforcement = new Enforcement({
      store: this.store,
      policy: this.#policy,
      broker,
      log,
    } as unknown as ConstructorParameters<typeof Enforcement>[0])
    enforcement.begin()
  }

  async logIn({ keys }: PolicySnapshot): Promise<void> {
    for (const { org, name, member } of keys) {
      const password = Buffer.from(`key of ${member}`)
      const login = { username: `${org}:${name}`, password, certificate: null }
      const answer = await this.#policy.connect(login as unknown as Parameters<LocalPolicy['connect']>[0])
      if (!answer.allowed) throw new Error(`${org}:${name} cannot log in`)
      this.#people.push(answer.principal)
    }
  }

  /** From the bytes to: verified, committed with fsync, indexed, decided by, and noted beside the database. */
  async apply(bytes: Uint8Array): Promise<Record<Taken, number>> {
    const cpu = process.cpuUsage()
    const began = performance.now()
    const outcome = await this.store.policy.apply(bytes)
    const wallMs = performance.now() - began
    const { user, system } = process.cpuUsage(cpu)
    if (!outcome.applied) throw new Error(`a policy was refused: ${outcome.because}`)
    return { wallMs, cpuMs: (user + system) / 1_000 }
  }

  async end(): Promise<void> {
    await this.store.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** All versions by the same kind of message, and how large these are. */
async function applied(kind: 'whole' | 'change') {
  const site = new Site()
  const { signer } = site
  const taken: Record<Taken, number>[] = []
  const sizes: number[] = []
  try {
    let before = policyOf(1)
    await site.apply(signer.whole(before))
    await site.logIn(before)
    for (let version = 2; version <= ROUNDS + WARM_UP; version += 1) {
      const next = policyOf(version)
      const isWhole = kind === 'whole' || version % CHANGES_A_WHOLE === 0
      const bytes = isWhole ? signer.whole(next) : signer.change(before, next)
      const times = await site.apply(bytes)
      before = next
      if (version <= WARM_UP || isWhole !== (kind === 'whole')) continue
      taken.push(times)
      sizes.push(bytes.length)
    }
  } finally {
    await site.end()
  }
  const at = (which: Taken, share: number): number => {
    const sorted = taken.map((times) => times[which]).sort((a, b) => a - b)
    return Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 10) / 10
  }
  return {
    rounds: taken.length,
    bytesMax: Math.max(...sizes),
    applyP50Ms: at('wallMs', 0.5),
    applyP99Ms: at('wallMs', 0.99),
    cpuP50Ms: at('cpuMs', 0.5),
    cpuP99Ms: at('cpuMs', 0.99),
  }
}

export const bench: Bench = {
  what: 'A policy of 200 members with key hashes and 500 shares, whole and by changes: bytes on the link, and the time until the gateway decides by it, fsync included.',
  async run() {
    return { whole: await applied('whole'), change: await applied('change') }
  },
}
