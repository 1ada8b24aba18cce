import { type Level, type Resource, type Right, RIGHTS, type Role } from '../contract/index.ts'

/**
 * Columns of the matrix: organisation owner, admin, editor, viewer, member, observer; workspace administrator, editor,
 * viewer; owner, editor, viewer of one thing; a partner's super installer, systems administrator, installer; a customer's
 * owner, manager, operator, viewer.
 */
export const COLUMNS = [
  ...['OO', 'OA', 'OE', 'OV', 'OM', 'OB'],
  ...['WA', 'WE', 'WV', 'RO', 'RE', 'RV'],
  ...['PS', 'PY', 'PI', 'CO', 'CM', 'CP', 'CV'],
] as const
/** Index of a column. */
export type Column = number

/**
 * `Y` yes · `.` no · `-` has no meaning here, no · `g` not by the role, only what is granted · `s` what is one's own only ·
 * `o` about own actions only · `^` at or below the own rank · `B` with the billing add-on · `a` in organisations that
 * speak akenza · `t` with a claim ticket · `r` for reading only · `L` unless it is the last owner.
 */
export type Cell = 'Y' | '.' | '-' | 'g' | 's' | 'o' | '^' | 'B' | 'a' | 't' | 'r' | 'L'

/**
 * At a gateway: `always` from the last snapshot, `fresh` only while that is fresh, `ticket` while fresh or with a claim
 * ticket, `narrowing` at once and always, `cloud` never.
 */
export type Offline = 'always' | 'fresh' | 'ticket' | 'narrowing' | 'cloud'

type Kind = Resource['kind']
type Has = 'reads' | 'stepUp' | 'host' | 'self'

export interface Rule {
  readonly right: Right
  /** Its place in the list of all, to remember answers by. */
  readonly at: number
  /** One for each column. */
  readonly cells: readonly Cell[]
  readonly offline: Offline
  /** What it can be asked on. */
  readonly on: readonly Kind[]
  /** It changes nothing: what a key for reading opens, and one for writing does not. */
  readonly reads: boolean
  /** It is the person's own affair: no key but one of full scope stands for them. */
  readonly self: boolean
  /** The password is asked for again. */
  readonly stepUp: boolean
  /** A role in the gateway's own organisation gives it for guests' devices too. */
  readonly host: boolean
}

const ORG: readonly Kind[] = ['org']
const ORG_OR_WORKSPACE: readonly Kind[] = ['org', 'workspace']
const WORKSPACE: readonly Kind[] = ['workspace']
/** A gateway is given away, and taken by an organisation. */
const ORG_OR_GATEWAY: readonly Kind[] = ['org', 'gateway']
const GATEWAY: readonly Kind[] = ['gateway']
const DEVICES: readonly Kind[] = ['device', 'sensor']
const MACHINES: readonly Kind[] = ['gateway', 'device', 'sensor']
const DATA: readonly Kind[] = ['workspace', 'gateway', 'device', 'sensor']
/** On the organisation: what is left of things that are there no more. */
const DATA_OR_ORG: readonly Kind[] = [...DATA, 'org']
const SHAREABLE: readonly Kind[] = ['workspace', 'gateway', 'device', 'sensor', 'item']
/** On the organisation: of things that are not there yet. */
const OWNABLE: readonly Kind[] = [...SHAREABLE, 'org']
const ITEM: readonly Kind[] = ['item']

type Row = readonly [cells: string, offline: Offline, on: readonly Kind[], ...has: Has[]]

/** The permission matrix: organisation roles, workspace, thing, partner, customer. The whole of it is here. */
const ROWS: Readonly<Record<Right, Row>> = {
  'org.read': ['YYYYYY YYY ... YYY YYYY', 'always', ORG_OR_WORKSPACE, 'reads'],
  'org.update': ['YYY... ... ... YY. Y...', 'cloud', ORG],
  'org.visibility': ['YY.... ... ... ... Y...', 'cloud', ORG],
  'crossorg.manage': ['YY.... ... ... ... Y...', 'cloud', ORG],
  'org.delete': ['Y..... ... ... ... Y...', 'cloud', ORG, 'stepUp'],
  'org.transferOwner': ['Y..... ... ... ... Y...', 'cloud', ORG, 'stepUp'],
  'billing.read': ['YB.... ... ... ... Y...', 'cloud', ORG, 'reads'],
  'billing.manage': ['YB.... ... ... ... Y...', 'cloud', ORG],
  'usage.read': ['YB.... ... ... ... Y...', 'cloud', ['org', ...DATA], 'reads'],
  'org.report': ['YY.... ... ... YY. ....', 'cloud', ORG, 'reads'],
  'member.list': ['YYYYss YY. ... YY. YY..', 'always', ORG_OR_WORKSPACE, 'reads'],
  'member.invite': ['YYa... ^^. ... YY. Y^..', 'cloud', ORG_OR_WORKSPACE],
  'member.role': ['Y^.... ^^. ... YY. Y^..', 'cloud', ORG_OR_WORKSPACE],
  'member.remove': ['Y^.... ^^. ... YY. Y^..', 'narrowing', ORG_OR_WORKSPACE],
  'self.leave': ['LYYYYY YYY --- YYY LYYY', 'narrowing', ORG_OR_WORKSPACE, 'self'],
  'team.manage': ['YY.... ... ... ... ....', 'cloud', ORG],
  'link.accept': ['Y..... ... ... ... Y...', 'cloud', ORG],
  'link.terminate': ['Y..... ... ... ... Y...', 'cloud', ORG],
  'customer.create': ['...... ... ... YY. ....', 'cloud', ORG],
  'ws.create': ['YYYa.. ... ... YY. ....', 'cloud', ORG],
  'ws.update': ['YYY... YY. ... YY. Y...', 'cloud', WORKSPACE],
  'ws.delete': ['YYY... Y.. ... YY. ....', 'cloud', WORKSPACE],
  'quota.allocate': ['YB.... ... ... ... ....', 'cloud', ORG_OR_WORKSPACE],
  'gw.claim': ['YYY.t. YY. ... Y.Y ....', 'ticket', ORG_OR_WORKSPACE],
  'gw.release': ['YY.... Y.. Y.. Y.. ....', 'cloud', GATEWAY],
  'gw.transfer': ['YY.... ... ... ... Y...', 'cloud', ORG_OR_GATEWAY],
  'gateway.status': ['YYYYYY YYY YYY YYY YYYY', 'always', GATEWAY, 'reads'],
  'device.host': ['YY.... ... ... Y.. Y...', 'cloud', GATEWAY],
  'device.status': ['YYYYgg YYY YYY YYY YYYY', 'always', DEVICES, 'reads', 'host'],
  'device.config': ['YYY.g. YY. YY. Y.Y ....', 'always', DATA],
  'device.operate': ['YYY.g. YY. YY. Y.Y YYY.', 'always', MACHINES],
  'data.read': ['YYYYgg YYY YYY YYY YYYY', 'always', DATA_OR_ORG, 'reads'],
  'data.export': ['YYYYgg YYY YYY YYY YYYY', 'always', DATA, 'reads'],
  'data.delete': ['YY.... ... Y.. ... Y...', 'cloud', DATA, 'stepUp'],
  'share.grant': ['YY..g. Y.. Y^. Y.. YY..', 'fresh', SHAREABLE],
  'share.revoke': ['YY..ss Y.. Y^s Y.. YYss', 'narrowing', SHAREABLE],
  'share.changeOwner': ['YY.... ... Y.. ... ....', 'cloud', OWNABLE],
  'view.read': ['YYYYgg YYY YYY YYY YYYY', 'always', ITEM, 'reads'],
  'view.edit': ['YYY.g. YY. YY. YYY YY..', 'always', ITEM],
  'alert.manage': ['YYY.g. YY. YY. YYY YY..', 'always', SHAREABLE],
  'alert.self': ['YYYYgg YYY YYY YYY YYYY', 'always', SHAREABLE],
  'token.self': ['YYYYYr YYY --- YYY YYYr', 'cloud', ORG_OR_WORKSPACE, 'stepUp'],
  'token.revokeAny': ['YY.... ... ... Y.. Y...', 'narrowing', ORG],
  'audit.read': ['YY.... ... ... o.. Y...', 'always', ORG, 'reads'],
}

function ruleOf(right: Right): Rule {
  const [cells, offline, on, ...has] = ROWS[right]
  const letters = cells.replaceAll(' ', '').match(/./g) as Cell[]
  if (letters.length !== COLUMNS.length) throw new Error(`the row of ${right} has ${letters.length} cells`)
  const { reads, stepUp, host, self } = Object.fromEntries(has.map((name) => [name, true]))
  return {
    right,
    at: RIGHTS.indexOf(right),
    cells: letters,
    offline,
    on,
    reads: !!reads,
    self: !!self,
    stepUp: !!stepUp,
    host: !!host,
  }
}

/** As a map: the objects' own look-up by name is the slower one, and every question makes it. */
export const RULES: ReadonlyMap<Right, Rule> = new Map(RIGHTS.map((right) => [right, ruleOf(right)]))

export const COLUMN_OF_ROLE: Readonly<Record<Role, Column>> = {
  owner: 0,
  admin: 1,
  editor: 2,
  viewer: 3,
  member: 4,
  observer: 5,
  'super-installer': 12,
  'systems-admin': 13,
  installer: 14,
  'customer-owner': 15,
  'customer-manager': 16,
  'customer-operator': 17,
  'customer-viewer': 18,
}
export const COLUMN_ON_WORKSPACE: Readonly<Record<Level, Column>> = { owner: 6, editor: 7, viewer: 8 }
export const COLUMN_ON_THING: Readonly<Record<Level, Column>> = { owner: 9, editor: 10, viewer: 11 }
