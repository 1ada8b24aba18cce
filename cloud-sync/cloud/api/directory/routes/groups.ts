import * as A from '../answers.ts'
import { list, read, write, type Route } from '../route.ts'
import { idOf, ORG, same } from './places.ts'

/** Workspaces and teams. */
export const GROUPS: readonly Route[] = [
  list('workspaces', 'list', {
    at: `GET ${ORG}/workspaces`,
    says: 'Workspaces that one may see',
    item: A.Workspace,
    items: same,
    key: idOf,
  }),
  write('workspaces', 'create', {
    at: `POST ${ORG}/workspaces`,
    says: 'Makes a workspace',
    answer: A.WorkspaceNamed,
  }),
  write('workspaces', 'update', {
    at: `PATCH ${ORG}/workspaces/{workspace}`,
    says: 'Changes name, description or logo',
    answer: A.WorkspaceNamed,
  }),
  write('workspaces', 'remove', {
    at: `DELETE ${ORG}/workspaces/{workspace}`,
    says: 'Deletes an empty workspace',
    answer: null,
  }),
  write('workspaces', 'allocate', {
    at: `PUT ${ORG}/workspaces/{workspace}/quotas`,
    says: 'What the workspace may use',
    answer: A.Allocated,
  }),
  list('quotas', 'ofWorkspace', {
    at: `GET ${ORG}/workspaces/{workspace}/quotas`,
    says: 'How the workspace stands to its limits this month',
    item: A.QuotaOfMeter,
    items: same,
    key: ({ meter }) => meter,
  }),
  list('quotas', 'warnings', {
    at: `GET ${ORG}/quota-warnings`,
    says: 'Where workspaces were warned of their limits, the newest first',
    item: A.QuotaWarning,
    items: same,
    key: ({ workspace, meter, period, step }) => `${workspace} ${meter} ${period} ${step}`,
  }),
  read('quotas', 'metrics', {
    at: `GET ${ORG}/workspaces/{workspace}/metrics`,
    says: 'Devices, gateways, SIM cards and people of a workspace',
    answer: A.WorkspaceMetrics,
  }),
  list('workspaces', 'members', {
    at: `GET ${ORG}/workspaces/{workspace}/members`,
    says: 'People of a workspace',
    item: A.WorkspaceMember,
    items: same,
    key: ({ user }) => user,
  }),
  write('workspaces', 'setLevel', {
    at: `PUT ${ORG}/workspaces/{workspace}/members/{user}`,
    says: 'Gives a member a level in the workspace',
    answer: A.WorkspaceLevel,
  }),
  write('workspaces', 'removeLevel', {
    at: `DELETE ${ORG}/workspaces/{workspace}/members/{user}`,
    says: 'Takes that level back',
    answer: null,
  }),
  list('teams', 'list', {
    at: `GET ${ORG}/teams`,
    says: 'Teams with their people',
    item: A.Team,
    items: same,
    key: ({ handle }) => handle,
  }),
  write('teams', 'create', { at: `POST ${ORG}/teams`, says: 'Makes a team', answer: A.TeamNamed }),
  write('teams', 'update', { at: `PATCH ${ORG}/teams/{team}`, says: 'Renames a team', answer: A.TeamNamed }),
  write('teams', 'remove', {
    at: `DELETE ${ORG}/teams/{team}`,
    says: 'Deletes a team and what was shared with it',
    answer: null,
  }),
  write('teams', 'setMember', {
    at: `PUT ${ORG}/teams/{team}/members/{user}`,
    says: 'Adds a member, or changes what they are in the team',
    answer: A.TeamMember,
  }),
  write('teams', 'removeMember', {
    at: `DELETE ${ORG}/teams/{team}/members/{user}`,
    says: 'Takes a member out of the team',
    answer: null,
  }),
]
