import { parseLocalTopic } from '../../../cloud-sync/contract/index.ts'
import type { Rig } from './rig.ts'

/** May this organisation see messages on this topic, by the demo's own directory? Written apart from access/. */
function maySee(rig: Rig, organisation: string, topic: string, shareRevoked: boolean): boolean {
  const parsed = parseLocalTopic(topic)
  if (parsed === undefined) return false
  if (parsed.what === 'gateway-status') return organisation === 'acme'
  const owner = rig.layout.devices.find((device) => device.id === parsed.device)?.organisation
  if (owner === organisation) return true
  // Status of the devices on it goes to the gateway's own organisation too.
  if (parsed.what === 'device-status' && organisation === 'acme') return true
  const { share } = rig.layout
  return !shareRevoked && organisation === share.to && parsed.device === share.device
}

/** Messages that a client was given and should not have been, by client and topic. */
export function leaks(rig: Rig, shareRevoked: boolean): string[] {
  const wrong: string[] = []
  for (const watcher of rig.watchers) {
    for (const [topic, count] of watcher.received()) {
      if (!maySee(rig, watcher.organisation, topic, shareRevoked)) {
        wrong.push(`${watcher.organisation} was given ${count} messages on ${topic}`)
      }
    }
  }
  return wrong
}

/** One line for each organisation: how many topics and messages its client was given. */
export function visibleTopics(rig: Rig): string[] {
  return rig.watchers.map((watcher) => {
    const messages = [...watcher.received().values()].reduce((sum, count) => sum + count, 0)
    return `${watcher.organisation}: ${messages} messages on ${watcher.received().size} topics`
  })
}
