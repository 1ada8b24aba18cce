import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { GatewayId, OrgId } from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import { writeWhole } from '../identity.ts'
import type { Answer } from './output.ts'

interface InitOptions {
  readonly dir: string
  readonly gateway: string
  readonly organisation: string
}

const ADMIN = 'admin'

/**
 * `headgate init`: writes gateway.yaml for a gateway that works without a cloud, with one organisation and one key.
 * The key is shown once; the file holds its SHA-256.
 */
export async function initGateway(options: InitOptions): Promise<Answer> {
  const gateway = GatewayId.safeParse(options.gateway)
  if (!gateway.success)
    throw new AgentError('USAGE', `--gateway ${options.gateway}: letters, digits and hyphens`)
  const organisation = OrgId.safeParse(options.organisation)
  if (!organisation.success) {
    throw new AgentError(
      'USAGE',
      `--organisation ${options.organisation}: lower case letters, digits and hyphens`,
    )
  }
  const dir = resolve(options.dir)
  const file = join(dir, 'gateway.yaml')
  if (existsSync(file)) throw new AgentError('USAGE', `${file} is there already; nothing was changed`)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const key = randomBytes(32).toString('hex')
  const keyHash = createHash('sha256').update(key).digest('hex')
  writeWhole(file, configText({ gateway: gateway.data, organisation: organisation.data, keyHash }))
  const login = `${organisation.data}:${ADMIN}`
  return {
    json: { config: file, login, key },
    text: [
      `wrote ${file}`,
      `login ${login}`,
      `key   ${key}   (shown once; the file holds its hash)`,
      'next: name your line and devices in it, then headgate gateway --config FILE',
    ].join('\n'),
  }
}

function configText(given: { gateway: GatewayId; organisation: OrgId; keyHash: string }): string {
  return `# headgate gateway --config gateway.yaml; every key is explained in docs/configuration.md
gateway: { id: ${given.gateway}, dataDir: data }
lines: []
#  - { id: port1, path: /dev/ttyUSB0, baud: 9600, format: 8N1 }
devices: []
#  - { id: tilt-north, line: port1, address: 1, profile: example-tilt/1, every: 10s }
broker: { listen: ["tcp://127.0.0.1:1883"], anonymous: none }
# Without a cloud this file says who there is; the gateway signs it with a key of its own.
organisation: { id: ${given.organisation}, name: ${given.organisation} }
users:
  - { name: ${ADMIN}, organisation: ${given.organisation}, role: owner, keyHash: ${given.keyHash} }
`
}
