import type { DirectoryRow, DirectoryTransaction } from '../../storage/index.ts'
import type { DirectoryWorld } from '../kernel/write.ts'
import { mails } from '../mail/texts.ts'
import { type AlertKind, type Occasion, recipients } from './recipients.ts'
import type { Bounds } from './rules.ts'

export interface Observation {
  readonly kind: Exclude<AlertKind, 'threshold'>
  /** `GATEWAY` or `GATEWAY/DEVICE`. */
  readonly resource: string
  /** It is so now; false = it is over. */
  readonly now: boolean
  /** By what it is known, for the mail. */
  readonly detail?: string
}

/** What the rest of the cloud tells the directory, so that it tells people. */
export interface AlertWatch {
  /** A device or gateway is offline or low on battery, or is not any more. How many mails were queued. */
  observe(observation: Observation): Promise<number>
  /** A value was measured; thresholds of the device are compared. How many mails were queued. */
  measure(measured: { resource: string; channel: string; value: number }): Promise<number>
}

export function createAlertWatch({ store, now, newId }: DirectoryWorld): AlertWatch {
  return {
    observe: ({ kind, resource, now: isSo, detail = '' }) =>
      store.transaction(async (tx) => {
        const org = await ownerOf(tx, resource)
        if (org === undefined) return 0
        return turn(tx, { kind, resource, org, rule: null, at: now(), newId, isSo, detail })
      }),
    measure: ({ resource, channel, value }) =>
      store.transaction(async (tx) => {
        const org = await ownerOf(tx, resource)
        if (org === undefined) return 0
        const rules = await tx.find('alert_rule', {
          org,
          resource,
          channel,
          kind: 'threshold',
          state: 'active',
        })
        let queued = 0
        for (const { id, bounds } of rules) {
          const { above, below } = JSON.parse(bounds) as Bounds
          const isSo = (above !== null && value > above) || (below !== null && value < below)
          const detail = `${channel} is ${value}`
          queued += await turn(tx, {
            kind: 'threshold',
            resource,
            org,
            rule: id,
            at: now(),
            newId,
            isSo,
            detail,
          })
        }
        return queued
      }),
  }
}

interface Turn extends Occasion {
  readonly newId: () => string
  readonly isSo: boolean
  readonly detail: string
}

/** Opens an alert once and closes it when it is over; only opening it is told, or that what hid it is over. */
async function turn(tx: DirectoryTransaction, { newId, isSo, detail, ...occasion }: Turn): Promise<number> {
  const { kind, resource, org, at } = occasion
  const rule = occasion.rule ?? ''
  const open = await tx.get('alert_event', { kind, resource, rule, state: 'open' })
  if (!isSo) {
    if (open !== undefined) await tx.put('alert_event', { ...open, state: 'over', over_at: at })
    return 0
  }
  const hidden = await isHidden(tx, occasion)
  if (open !== undefined && (open.told === 1 || hidden)) return 0
  const begun = { id: newId(), opened_at: at, ...open }
  const about = { org, kind, resource, rule, detail }
  await tx.put('alert_event', { ...begun, ...about, state: 'open', told: hidden ? 0 : 1, over_at: null })
  if (hidden) return 0
  const people = await recipients(tx, occasion)
  for (const person of people) await queue(tx, { person, occasion, id: newId(), detail })
  return people.length
}

/** Behind a gateway that is offline everything looks so: one alert, not forty (edge case 24). */
async function isHidden(tx: DirectoryTransaction, { kind, resource }: Occasion): Promise<boolean> {
  const [gateway = '', device] = resource.split('/')
  if (kind !== 'offline' || device === undefined) return false
  return (await tx.get('alert_event', { kind, resource: gateway, rule: '', state: 'open' })) !== undefined
}

const WORDS: Readonly<Record<AlertKind, string>> = {
  offline: 'is offline',
  'low-battery': 'has a low battery',
  threshold: 'is out of bounds',
}

async function queue(
  tx: DirectoryTransaction,
  told: { person: DirectoryRow<'user'>; occasion: Occasion; id: string; detail: string },
): Promise<void> {
  const { person, occasion, id, detail } = told
  const owner = await tx.get('organisation', { id: occasion.org })
  const { subject, body } = mails.alert(person.email, {
    what: `${occasion.resource} ${WORDS[occasion.kind]}${detail === '' ? '' : `: ${detail}`}`,
    where: `Organisation: ${owner?.name ?? occasion.org}`,
  })
  const { at } = occasion
  await tx.put('mail', {
    id,
    recipient: person.email,
    subject,
    body,
    created_at: at,
    next_try_at: at,
    tries: 0,
    sent_at: null,
  })
}

async function ownerOf(tx: DirectoryTransaction, resource: string): Promise<string | undefined> {
  if (resource.includes('/')) return (await tx.get('device', { path: resource, state: 'active' }))?.org
  return (await tx.get('gateway', { id: resource }))?.org
}
