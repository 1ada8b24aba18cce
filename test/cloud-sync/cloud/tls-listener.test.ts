import { expect, onTestFinished } from 'vitest'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseCloudConfig } from '../../../cloud-sync/cloud/config.ts'
import { startCloud } from '../../../cloud-sync/cloud/index.ts'
import { Authority } from '../../support/certificates.ts'
import { testWith } from '../../support/peers.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const quiet = (): void => undefined
const log = { info: quiet, warn: quiet, error: quiet, debug: quiet }

testWith('openssl')(
  'a cloud that listens only with TLS has its own ingest, and shows its certificate',
  async () => {
    const folder = temporaryFolder()
    const authority = new Authority(folder)
    const { cert, key } = authority.server()
    writeFileSync(join(folder, 'd.yaml'), 'organisations: [{ id: acme, name: Acme }]\n')
    const text = `listen:
  mqtt: [{ url: "tls://127.0.0.1:0", tls: { cert: ${cert}, key: ${key} } }]
  http: "127.0.0.1:0"
dataDir: data
directory: d.yaml
`
    const config = parseCloudConfig('cloud.yaml', text, folder)
    const cloud = await startCloud(config, { log, signal: new AbortController().signal })
    onTestFinished(() => cloud.stop())
    expect(cloud.mqtt).toEqual([expect.stringMatching(/^tls:\/\/127.0.0.1:\d+$/)])
    const port = Number(new URL(cloud.mqtt[0] ?? '').port)
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: readFileSync(authority.cert),
    })
    await once(socket, 'secureConnect')
    socket.destroy()
    await cloud.renewCertificates()
  },
)
