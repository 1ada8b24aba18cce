import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CloudKeys, openKeys } from '../../cloud-sync/cloud/keys/index.ts'
import {
  type DirectoryChange,
  type OrgDirectory,
  parseDirectory,
} from '../../cloud-sync/cloud/directory/index.ts'
import { type Policies, startPolicies } from '../../cloud-sync/cloud/policies/index.ts'
import type { DatabaseTarget } from '../../cloud-sync/cloud/storage/index.ts'
import { type Keyset, type GatewayId, type PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import { openSnapshot } from '../../cloud-sync/codec/index.ts'
import { writeDirectory } from './cloud-fixture.ts'
import { done, openTestDirectory, type TestDirectory } from './directory-world.ts'
import type { FakeGateway } from './fake-gateway.ts'
import { silent } from './test-ledger.ts'

export const DAY_MS = 24 * 3_600_000

/** A directory that began with the fixture's organisations, and the policies made of it. */
export interface SeededCloud {
  readonly directory: TestDirectory & OrgDirectory
  readonly policies: Policies
  readonly keys: CloudKeys
  readonly trust: string
  /** One change by the operator, in force when it resolves; the refusal's code where it is refused. */
  change(body: object): Promise<string>
  /** The newest policy, opened as its gateway would. */
  snapshot(gateway: GatewayId): Promise<PolicySnapshot & { readonly keyset: Keyset }>
  close(): Promise<void>
}

export interface SeededOptions {
  readonly gateways: readonly FakeGateway[]
  readonly target?: DatabaseTarget
  readonly now?: () => number
}

/** On files in `folder`; a second one over the same folder or database goes on with what is there. */
export async function seededCloud(folder: string, options: SeededOptions): Promise<SeededCloud> {
  const { gateways, target = { dialect: 'sqlite', path: join(folder, 'organisations.db') } } = options
  const keys = openKeys(folder)
  const directory = await openTestDirectory(target)
  const [any] = await directory.store.read.find('policy_log', {}, { limit: 1 })
  if (any === undefined) {
    const path = writeDirectory(folder, gateways)
    const seed = parseDirectory(path, readFileSync(path, 'utf8'))
    await done(directory.write.platform.importSeed(directory.operator(), seed))
  }
  const policies = await startPolicies({
    store: directory.store,
    keys,
    now: options.now ?? (() => 1),
    monoMs: () => performance.now(),
    log: silent,
    terms: { freshMs: DAY_MS, hardMs: 30 * DAY_MS },
  })
  return {
    directory,
    policies,
    keys,
    trust: keys.rootPublicKey,
    async change(body) {
      const outcome = await directory.write.platform.configure(directory.operator(), body as DirectoryChange)
      await policies.caughtUp()
      return outcome.ok ? 'done' : outcome.code
    },
    async snapshot(gateway) {
      const bytes = (await policies.sealedFor(gateway))?.message ?? new Uint8Array()
      const read = openSnapshot({
        rootPublicKey: keys.rootPublicKey,
        gateway,
        bytes,
        newestKeyset: undefined,
      })
      if (!read.ok) throw new Error(read.because)
      return { ...read.snapshot, keyset: read.keyset }
    },
    async close() {
      await policies.stop()
      await directory.close()
    },
  }
}
