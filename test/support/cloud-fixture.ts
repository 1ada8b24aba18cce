import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FakeGateway } from './fake-gateway.ts'

export const KEYS = {
  'acme:ana': 'ana-key',
  'acme:bob': 'bob-key',
  'acme:meter': 'meter-key',
  'borealis:bea': 'bea-key',
  'cobalt:cid': 'cid-key',
} as const

/**
 * A directory of three organisations: acme owns the gateways and tilt-1, borealis owns level-1 on the same gateways;
 * cobalt owns nothing. Written to `directory.yaml` in the folder; returns its path.
 */
export function writeDirectory(folder: string, gateways: readonly FakeGateway[]): string {
  const path = join(folder, 'directory.yaml')
  const lines = [
    'organisations: [{id: acme, name: Acme}, {id: borealis, name: Borealis}, {id: cobalt, name: Cobalt}]',
    'members:',
    '  - {organisation: acme, name: ana, role: owner}',
    '  - {organisation: acme, name: bob, role: member}',
    '  - {organisation: borealis, name: bea, role: owner}',
    '  - {organisation: cobalt, name: cid, role: owner}',
    'keys:',
    '  - {organisation: acme, name: ana, member: ana, key: ana-key}',
    '  - {organisation: acme, name: bob, member: bob, key: bob-key}',
    '  - {organisation: acme, name: meter, member: ana, key: meter-key}',
    '  - {organisation: borealis, name: bea, member: bea, key: bea-key}',
    '  - {organisation: cobalt, name: cid, member: cid, key: cid-key}',
    'gateways:',
    ...gateways.map(({ id, key }) => `  - {id: ${id}, organisation: acme, publicKey: "${key.publicKey}"}`),
    'devices:',
    ...gateways.flatMap(({ id }) => [
      `  - {gateway: ${id}, id: tilt-1, organisation: acme, custodian: ana}`,
      `  - {gateway: ${id}, id: level-1, organisation: borealis}`,
    ]),
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}
