import { CLIENT_ID_LENGTH_MAX, TOPIC_LENGTH_MAX, TOPIC_LEVELS_MAX } from './limits.ts'

/** Where a refused publish ends: it is never delivered. */
export const QUARANTINE_TOPIC = '$headgate/quarantine'

/**
 * What topics are that begin with `$` [MQTT-4.7.2-1]: all `refused`, or `ordinary` but for the broker's own ones
 * (`$SYS`, and `$share`, which would grant a shared subscription that nobody serves).
 */
export type DollarTopics = 'refused' | 'ordinary'

const RESERVED = /^\$(SYS|share)(\/|$)/

/** True for a topic or filter that nobody may publish to, subscribe to or receive. */
export const topicIsReserved = (topic: string, dollarTopics: DollarTopics): boolean =>
  topic.startsWith('$') && (dollarTopics === 'refused' || topic === QUARANTINE_TOPIC || RESERVED.test(topic))

// [MQTT-1.5.3-1], [MQTT-1.5.3-2]: no lone surrogates, no U+0000; control characters and non-characters may be refused.
const SOUND_TEXT = /^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u
// A client id ends up in topics and logs of other programs: nothing that means something in a topic.
const SOUND_CLIENT_ID = /^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}+#/]+$/u

/** True for a topic that may be published to by a client: no wildcard, not reserved, no control character, bounded. */
export const topicIsSound = (topic: string, dollarTopics: DollarTopics = 'refused'): boolean =>
  textIsSound(topic) && !topicIsReserved(topic, dollarTopics) && !/[+#]/.test(topic)

/** True for a filter that may be subscribed to, before the policy is asked: `$SYS` and `$share` are not. */
export const filterIsSound = (filter: string, dollarTopics: DollarTopics = 'refused'): boolean =>
  textIsSound(filter) && !topicIsReserved(filter, dollarTopics)

/** True for a client id that may be used at all. */
export const clientIdIsSound = (id: string): boolean =>
  id.length <= CLIENT_ID_LENGTH_MAX && SOUND_CLIENT_ID.test(id)

function textIsSound(text: string): boolean {
  if (text.length === 0 || text.length > TOPIC_LENGTH_MAX) return false
  return SOUND_TEXT.test(text) && text.split('/').length <= TOPIC_LEVELS_MAX
}

/** True where the filter matches the topic (MQTT 3.1.1, section 4.7). */
export function filterMatches(filter: string, topic: string): boolean {
  const levels = topic.split('/')
  const wanted = filter.split('/')
  // [MQTT-4.7.2-1]: a wildcard at the first level never matches a topic that begins with `$`.
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false
  for (const [at, want] of wanted.entries()) {
    if (want === '#') return true
    if (at >= levels.length || (want !== '+' && want !== levels[at])) return false
  }
  return wanted.length === levels.length
}
