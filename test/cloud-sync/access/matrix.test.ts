import { describe, expect, test } from 'vitest'
import {
  COLUMNS,
  PRESET_PACKS,
  type Question,
  RULES,
  type VendorRole,
} from '../../../cloud-sync/access/index.ts'
import { type PolicyFacts, type Right, RIGHTS } from '../../../cloud-sync/contract/index.ts'
import {
  ask,
  askedOn,
  factsOf,
  grant,
  organisation,
  person,
  tableOf,
  told,
} from '../../support/access-cast.ts'

const matrix = tableOf('matrix')
const LETTERS: Readonly<Record<string, string>> = {
  'not last': 'L',
  '+B': 'B',
  read: 'r',
  'own actions': 'o',
}
const CLASSES: Readonly<Record<string, readonly string[]>> = {
  A: ['always'],
  F: ['fresh', 'ticket'],
  N: ['narrowing'],
  C: ['cloud'],
}

test('the columns and rights are those of the design', () => {
  expect(matrix.heads.slice(1, -1)).toEqual([...COLUMNS])
  expect(matrix.rows.map(([right]) => right).toSorted()).toEqual(RIGHTS.toSorted())
})

test.for(matrix.rows)('%s has the cells, the class and the step-up of the design', ([right, ...cells]) => {
  const rule = RULES.get(right as Right)
  const plain = cells.slice(0, -1).map((cell) => cell.replace('*', ''))
  expect(rule?.cells).toEqual(plain.map((cell) => LETTERS[cell] ?? cell))
  expect(CLASSES[cells.at(-1) ?? '']).toContain(rule?.offline)
  expect(rule?.stepUp).toBe(cells.some((cell) => cell.endsWith('*')))
})

const PARTNERS: readonly string[] = ['super-installer', 'systems-admin', 'installer']
/** What a partner's people do at home: where there is no customer yet, and to their own membership. */
const AT_HOME = ['customer.create', 'self.leave', 'token.self']

interface Staged {
  readonly facts: PolicyFacts
  readonly login: string
  readonly on: string
}

const speaking = (facts: PolicyFacts, preset: string): PolicyFacts => ({
  ...facts,
  organisations: facts.organisations.map((one) =>
    one.id === 'acme' ? { ...one, preset: preset as typeof one.preset } : one,
  ),
})

/**
 * tess has the role and nothing else: on a workspace or a thing as an outsider, so that no role of hers helps; as a
 * partner's person through a link. peer has the same.
 */
function stage(role: VendorRole, right: string, { alone = false, preset = 'headgate' } = {}): Staged {
  const acme = { organisations: [organisation('out'), organisation('prime', { type: 'partner' })] }
  const on = askedOn(right, role.on)
  const all = ['tess', 'peer']
  if (role.on !== 'organisation') {
    const roles = [{ id: 'vendors', org: 'acme', name: 'vendors', without: role.without ?? [] }]
    const places = role.on === 'workspace' ? ['workspace dam'] : ['device tilt', 'gateway', 'item v1']
    const more = { via: 'p1', custom: role.without === undefined ? null : 'vendors' }
    const grants = all.flatMap((name) =>
      places.map((place, at) => grant(`g-${name}-${at}`, place, `out:${name}`, role.level, more)),
    )
    const others = ['owner', 'editor', 'viewer'].map((level) =>
      grant(`g-${level}`, 'device tilt', `acme:mia`, level, { id: `of-${level}` }),
    )
    const ofMia = grant('mia-ws', 'workspace dam', 'acme:mia', 'viewer')
    const facts = factsOf({
      ...acme,
      roles,
      members: all.map((name) => person(`out:${name}`, 'viewer')),
      policies: [{ id: 'p1', from: 'acme', to: 'out', maxLevel: 'owner' }],
      grants: [...grants, ...others.slice(0, 2), ofMia],
    })
    return {
      facts: speaking(facts, preset),
      login: 'out:tess',
      on,
    }
  }
  const isPartner = PARTNERS.includes(role.role)
  const org = isPartner ? 'prime' : 'acme'
  const mates = alone ? ['tess'] : all
  const members = mates.map((name) => person(`${org}:${name}`, role.role, { billing: role.billing ?? false }))
  const facts = factsOf({ ...acme, members, links: [{ id: 'l1', partner: 'prime', customer: 'acme' }] })
  const others = facts.members.filter(({ name }) => !alone || name !== 'olga')
  return {
    facts: { ...speaking(facts, preset), members: others },
    login: `${org}:tess`,
    on: isPartner && AT_HOME.includes(right) ? 'org prime' : on,
  }
}

type About = NonNullable<Question['about']>
/** What the letter promises, and what it refuses; most of it needs to be asked twice. */
function promises(cell: string, right: string, role: VendorRole): { allowed: About[]; refused: About[] } {
  const sure = { stepUp: true }
  switch (cell) {
    case 'Y':
      return { allowed: [sure], refused: [] }
    case 'Y*':
      return { allowed: [sure], refused: [{}, { stepUp: false }] }
    case 'read*':
      return {
        allowed: [{ ...sure, scope: 'read' }],
        refused: [sure, { ...sure, scope: 'full' }, { scope: 'read' }],
      }
    case 's':
      return right === 'share.revoke'
        ? { allowed: [], refused: [sure, { grant: 'of-owner' as never }] }
        : { allowed: [{ member: 'tess' as never }], refused: [sure, { member: 'mia' as never }] }
    case 'own actions':
      return { allowed: [{ member: 'tess' as never }], refused: [sure, { member: 'mia' as never }] }
    case 't':
      return { allowed: [{ ticket: true }], refused: [sure] }
    case '^':
      return rankPromises(right, role)
    case 'not last':
      return { allowed: [sure], refused: [] }
    default:
      return { allowed: [], refused: [{}, sure, { ...sure, ticket: true }, { ...sure, scope: 'read' }] }
  }
}

function rankPromises(right: string, role: VendorRole): { allowed: About[]; refused: About[] } {
  const member = 'mia' as never
  const peer = 'peer' as never
  if (role.on === 'organisation') {
    const given = { role: 'observer' as const }
    const changes = right !== 'member.invite'
    if (!changes) return { allowed: [given, { role: role.role }], refused: [{ role: 'owner' }] }
    const peers: About[] = [{ member: peer }, { member: 'olga' as never }]
    const raised: About[] = right === 'member.role' ? [{ member, role: 'owner' }] : []
    return { allowed: [{ member, ...given }, { member }], refused: [...raised, ...peers] }
  }
  if (right.startsWith('member.')) {
    const above = role.level === 'owner' ? [] : [{ level: 'owner' as const }]
    return { allowed: [{ level: role.level }, { member }], refused: right === 'member.remove' ? [] : above }
  }
  return right === 'share.grant'
    ? { allowed: [{ level: 'viewer' }, { level: 'editor' }], refused: [{ level: 'owner' }] }
    : { allowed: [{ grant: 'of-editor' as never }], refused: [{ grant: 'of-owner' as never }] }
}

const cellsOf = (preset: string): [role: string, right: string, cell: string][] => {
  const { heads, rows } = tableOf(preset)
  return rows.flatMap(([right = '', ...cells]) =>
    cells.map((cell, at): [string, string, string] => [heads[at + 1] ?? '', right, cell]),
  )
}

describe.for(['sensemetrics', 'akenza', 'iotflows', 'tagoio', 'meter.me'] as const)('%s', (preset) => {
  const pack = PRESET_PACKS[preset]
  const cells = cellsOf(preset)
  test('every role has its column', () => {
    expect([...new Set(cells.map(([role]) => role))]).toEqual(Object.keys(pack.roles))
    expect(cells).toHaveLength(Object.keys(pack.roles).length * RIGHTS.length)
  })

  test.for(cells)('%s %s: %s', ([name, right, cell]) => {
    const role = pack.roles[name]
    if (role === undefined) throw new Error(`no role ${name}`)
    const { facts, login, on } = stage(role, right, { preset })
    const { allowed, refused } = promises(cell, right, role)
    for (const about of allowed) {
      const decision = ask(facts, `${login} ${right} ${on}`, { about })
      expect([decision.allowed, told(decision), about]).toEqual([true, expect.anything(), about])
    }
    for (const about of refused) {
      const decision = ask(facts, `${login} ${right} ${on}`, { about })
      expect([decision.allowed, told(decision), about]).toEqual([false, expect.anything(), about])
    }
    expect(allowed.length + refused.length).toBeGreaterThan(0)
    if (cell === 'not last') {
      const last = stage(role, right, { alone: true, preset })
      expect(told(ask(last.facts, `${login} ${right} ${on}`))).toBe('last-owner')
    }
  })
})
