import type { Level, Preset, Right, Role } from '../contract/index.ts'

/** What a vocabulary calls something that we have: a role in an organisation, or a level on a workspace or a thing. */
export type VendorRole =
  | { readonly on: 'organisation'; readonly role: Role; readonly billing?: true }
  | { readonly on: 'workspace' | 'thing'; readonly level: Level; readonly without?: readonly Right[] }

export interface PresetPack {
  readonly roles: Readonly<Record<string, VendorRole>>
  /** What an invitation gives: a fixed role, or the one that was chosen (S0.18 against S2.8). */
  readonly invitesAs: Role | 'chosen'
  /** Whether who is invited must have an account already (S3.12), or makes one from the invitation (S0, S2). */
  readonly inviteNeedsAccount: boolean
  /** One owner, and ownership moves (S1.10), or as many as there may be (S2.10). */
  readonly singleOwner: boolean
  /** A person is in one organisation at most (S0.7). */
  readonly singleOrganisation: boolean
  /** People are managed in the organisation alone: nobody is added to one workspace any more (S4.12). */
  readonly membersInOrganisationOnly: boolean
  /** What an organisation keeps of its workspaces when it hands one on. */
  readonly workspacesKept: number
}

const org = (role: Role): VendorRole => ({ on: 'organisation', role })
const workspace = (level: Level): VendorRole => ({ on: 'workspace', level })
const thing = (level: Level): VendorRole => ({ on: 'thing', level })

const USUAL = {
  invitesAs: 'chosen',
  inviteNeedsAccount: false,
  singleOwner: false,
  singleOrganisation: false,
  membersInOrganisationOnly: false,
  workspacesKept: 1,
} as const

/** The five vocabularies and our own; each name means one column of the matrix. */
export const PRESET_PACKS: Readonly<Record<Preset, PresetPack>> = {
  headgate: {
    ...USUAL,
    roles: {
      Owner: org('owner'),
      Administrator: org('admin'),
      Editor: org('editor'),
      Viewer: org('viewer'),
      Member: org('member'),
      Observer: org('observer'),
      'Workspace Administrator': workspace('owner'),
      'Workspace Editor': workspace('editor'),
      'Workspace Viewer': workspace('viewer'),
    },
  },
  sensemetrics: {
    ...USUAL,
    invitesAs: 'member',
    singleOrganisation: true,
    roles: {
      // There is no rank above: S0's administrators delete, bill and own.
      Admin: org('owner'),
      Basic: org('member'),
      Owner: thing('owner'),
      'Can Edit': thing('editor'),
      'Can View': thing('viewer'),
    },
  },
  akenza: {
    ...USUAL,
    singleOwner: true,
    roles: {
      'Organization-Owner': org('owner'),
      'Organization-Admin': { on: 'organisation', role: 'admin', billing: true },
      'Organization-Editor': org('editor'),
      'Organization-Viewer': org('viewer'),
      'Organization-Member': org('member'),
      'Workspace Admin': workspace('owner'),
      'Workspace Editor': workspace('editor'),
      'Workspace Viewer': workspace('viewer'),
      'Tenant Manager': org('super-installer'),
    },
  },
  iotflows: {
    ...USUAL,
    roles: {
      'Organization Owner': org('owner'),
      // No billing, which is what sets it apart from the owner (S2.12).
      'Organization Administrator': org('admin'),
      'Organization Member': org('member'),
      'Organization Observer': org('observer'),
      'Project Administrator': workspace('owner'),
      'Project Member': workspace('editor'),
      'Project Observer': workspace('viewer'),
    },
  },
  tagoio: {
    ...USUAL,
    inviteNeedsAccount: true,
    workspacesKept: 2,
    roles: {
      'Account owner': org('owner'),
      'Team member': {
        on: 'workspace',
        level: 'owner',
        without: ['quota.allocate', 'billing.read', 'billing.manage', 'audit.read', 'member.invite'],
      },
    },
  },
  'meter.me': {
    ...USUAL,
    membersInOrganisationOnly: true,
    roles: {
      Owner: org('customer-owner'),
      Manager: org('customer-manager'),
      Operator: org('customer-operator'),
      'View-Only': org('customer-viewer'),
      Installer: org('installer'),
      'Systems Admin': org('systems-admin'),
      'Super Installer': org('super-installer'),
    },
  },
}
