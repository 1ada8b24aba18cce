import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createWorker } from '../../cloud-sync/cloud/ingest/worker.ts'
import { openIncoming } from '../../cloud-sync/cloud/ingest/open.ts'
import { openLedger } from '../../cloud-sync/cloud/storage/index.ts'

/**
 * node dies-after-commit.ts FOLDER TOPIC MESSAGE_FILE CLOUD_ID PUBLIC_KEY: the cloud's own worker on its own database,
 * killed where a power cut would be worst: after the commit, before a byte of the acknowledgement.
 */
const [folder = '', topic = '', file = '', cloudId = '', publicKey = ''] = process.argv.slice(2)
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const worker = createWorker({
  db: await openLedger({ dialect: 'sqlite', path: join(folder, 'cloud.db') }),
  now: Date.now,
  monoMs: () => performance.now(),
  log: silent,
  committed: () => {
    process.kill(process.pid, 'SIGKILL')
  },
})
const opened = openIncoming({ cloudId, publicKeyOf: () => publicKey }, topic, readFileSync(file))
if (!opened.ok) throw new Error(opened.because)
worker.offer(opened.incoming)
await worker.idle()
