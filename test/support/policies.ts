import { PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import { sha256 } from '../../cloud-sync/codec/index.ts'

/** Looks like chance to a packer, and is the same every time. */
const chance = (seed: string): string => sha256(Buffer.from(seed))

const NAMES = ['ana', 'bo', 'carla', 'dmitri', 'eva', 'farid'] as const

/** A policy of five organisations with 40 devices and as many people and shares as asked for; one key a person. */
export function largePolicy(size: {
  readonly members: number
  readonly grants: number
  readonly gateway?: string
  readonly version?: number
}): PolicySnapshot {
  const { gateway = 'GW-000123', version = 7 } = size
  const org = (index: number): string => `org-${index % 5}`
  const people = Array.from({ length: size.members }, (_, index) => ({
    org: org(index),
    name: `${NAMES[index % NAMES.length] ?? ''}-${chance(`member ${index}`).slice(0, 4)}-${index}`,
    incarnation: 1,
  }))
  const [first] = people
  return PolicySnapshot.parse({
    v: 2,
    gateway,
    version,
    issuedAt: 1_790_000_000_000,
    freshUntil: 1_790_086_400_000,
    hardUntil: 1_792_592_000_000,
    owner: { org: org(0), ownerEpoch: 1 },
    organisations: [0, 1, 2, 3, 4].map((index) => ({ id: org(index), name: `Organisation ${index}` })),
    members: people.map((person) => ({ ...person, role: 'member' })),
    keys: people.map(({ org, name }) => ({
      org,
      name: `key-${name}`,
      member: name,
      incarnation: 1,
      hash: chance(`key of ${name}`),
    })),
    devices: Array.from({ length: 40 }, (_, index) => ({
      id: `tilt-${index}`,
      org: org(index),
      ownerEpoch: 1,
    })),
    policies: [1, 2, 3, 4].map((index) => ({ id: `p-${index}`, from: org(0), to: org(index) })),
    grants: Array.from({ length: size.grants }, (_, index) => ({
      id: `g-${chance(`grant ${index}`).slice(0, 16)}`,
      on: { kind: 'sensor', device: `tilt-${index % 40}`, sensor: `main-${index % 7}` },
      to: { kind: 'member', ...people[(index * 7) % Math.max(1, people.length)] },
      level: index % 3 === 0 ? 'editor' : 'viewer',
      ownerEpoch: 1,
      via: index % 5 === 0 ? null : `p-${1 + (index % 4)}`,
      by: first,
    })),
    critical: [],
  })
}
