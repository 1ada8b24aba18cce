import { Grantee, Resource } from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'

const NAMED = /^(org|workspace|item):([^:]{1,64})$/
const PATH = /^([^/:]{1,64})(?:\/([^/:]{1,64}))?$/

/**
 * A thing as people write it: `gateway`, `tilt-1` (a device), `tilt-1/main` (its sensor), `workspace:ID`, `item:ID`,
 * `org:ID`. @throws AgentError CONSOLE_REQUEST_INVALID
 */
export function thingOf(text: string): Resource {
  const parsed = Resource.safeParse(partsOf(text))
  if (parsed.success) return parsed.data
  throw new AgentError('CONSOLE_REQUEST_INVALID', `${text.slice(0, 130)} names no thing`)
}

function partsOf(text: string): object {
  if (text === 'gateway') return { kind: 'gateway' }
  const [, kind, id] = NAMED.exec(text) ?? []
  if (kind !== undefined) return { kind, [kind]: id }
  const [, device, sensor] = PATH.exec(text) ?? []
  return sensor === undefined ? { kind: 'device', device } : { kind: 'sensor', device, sensor }
}

/** The inverse of `thingOf`. */
export function textOfThing(thing: Resource): string {
  switch (thing.kind) {
    case 'gateway':
      return 'gateway'
    case 'device':
      return thing.device
    case 'sensor':
      return `${thing.device}/${thing.sensor}`
    case 'workspace':
      return `workspace:${thing.workspace}`
    case 'item':
      return `item:${thing.item}`
    case 'org':
      return `org:${thing.org}`
  }
}

/** `acme` is everybody of an organisation, `acme:ana` a member, `acme:@north` a team. */
export function textOfGrantee(to: Grantee): string {
  switch (to.kind) {
    case 'org':
      return to.org
    case 'member':
      return `${to.org}:${to.name}`
    case 'team':
      return `${to.org}:@${to.team}`
  }
}

/** The inverse of `textOfGrantee`; a member's incarnation is the present one. @throws AgentError CONSOLE_REQUEST_INVALID */
export function granteeOf(
  text: string,
  incarnationOf: (org: string, name: string) => number | undefined,
): Grantee {
  const [org = '', name, ...more] = text.split(':')
  const parsed = more.length > 0 ? undefined : Grantee.safeParse(granteeParts(org, name, incarnationOf))
  if (parsed?.success === true) return parsed.data
  throw new AgentError('CONSOLE_REQUEST_INVALID', `${text.slice(0, 130)} names nobody`)
}

function granteeParts(
  org: string,
  name: string | undefined,
  incarnationOf: (org: string, name: string) => number | undefined,
): object {
  if (name === undefined) return { kind: 'org', org }
  if (name.startsWith('@')) return { kind: 'team', org, team: name.slice(1) }
  // Whether there is such a member is for the decision to say, after it has said whether the asker may know.
  return { kind: 'member', org, name, incarnation: incarnationOf(org, name) ?? 1 }
}
