import { expect } from 'vitest'
import { signLog, verifyLog } from '../../../../cloud-sync/cloud/directory/index.ts'
import { generateKeyPair, openMessage, signingKey, signMessage } from '../../../../cloud-sync/codec/index.ts'
import type { DirectoryStore } from '../../../../cloud-sync/cloud/storage/index.ts'
import { done, onBothEngines } from '../../../support/directory-world.ts'

const key = signingKey(generateKeyPair().privateKey)
const other = signingKey(generateKeyPair().privateKey)
const signer = (by = key) => ({
  sign: (body: Uint8Array) => signMessage({ kind: 'log', recipient: 'cloud-1', body, key: by }),
  open: (message: Uint8Array) => {
    const publicKeyFor = (id: string) => (id === key.keyId ? key.publicKey : undefined)
    const opened = openMessage({ kind: 'log', recipient: 'cloud-1', message, publicKeyFor })
    return opened.ok ? opened.body : undefined
  },
})

/** A store whose rows of one table read differently. */
const forged = (
  store: DirectoryStore,
  change: (row: Record<string, unknown>) => object | undefined,
): DirectoryStore => ({
  ...store,
  read: {
    ...store.read,
    get: (async (...asked: Parameters<DirectoryStore['read']['get']>) => {
      const row = await store.read.get(...asked)
      return asked[0] === 'policy_log' && row !== undefined ? change(row) : row
    }) as DirectoryStore['read']['get'],
  },
})

onBothEngines((engine) => {
  engine.with('heads of chains are signed as they grow, and only by the cloud', async (d) => {
    const sign = (by = key) => signLog(d.store, { sign: signer(by).sign, now: () => d.now() })
    await d.person('ana', 'acme')
    expect([await sign(), await sign()]).toEqual([2, 0])
    await done(d.write.organisations.update(d.as('ana', 'acme'), { org: 'acme', description: 'x' }))
    expect(await sign()).toBe(1)
    expect(await verifyLog(d.store, signer())).toEqual({ checkpoints: 2, heads: 3 })
    // A log that was made anew does not end in what was signed; nor does one that was cut.
    for (const change of [(row: object) => ({ ...row, hash: 'f'.repeat(64) }), () => undefined])
      await expect(verifyLog(forged(d.store, change), signer())).rejects.toMatchObject({
        code: 'DIRECTORY_LOG_BROKEN',
      })
    await done(d.write.organisations.update(d.as('ana', 'acme'), { org: 'acme', description: 'y' }))
    await sign(other)
    await expect(verifyLog(d.store, signer())).rejects.toMatchObject({ code: 'DIRECTORY_LOG_BROKEN' })
  })
})
