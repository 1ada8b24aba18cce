/**
 * What topics are that begin with `$` [MQTT-4.7.2-1]: all `refused`, or `ordinary` but for the broker's own ones
 * (`$SYS`, and `$share`, which would grant a shared subscription that nobody serves).
 */
export type DollarTopics = 'refused' | 'ordinary'

/** What a topic or filter may look like, beyond what the protocol says. */
export interface TopicRules {
  readonly dollarTopics: DollarTopics
  /** Characters. */
  readonly topicLength: number
  readonly topicLevels: number
}

const DOLLAR = 0x24
const SLASH = 0x2f
const RESERVED = /^\$(SYS|share)(\/|$)/

/** True for a topic or filter that nobody may publish to, subscribe to or receive. */
export const topicIsReserved = (topic: string, { dollarTopics }: TopicRules): boolean =>
  topic.charCodeAt(0) === DOLLAR && (dollarTopics === 'refused' || RESERVED.test(topic))

/**
 * True for a topic that a client may publish to or a filter that it may subscribe to, before the policy is asked; `$SYS`
 * and `$share` are not. What the protocol asks for (text, wildcards) has been checked.
 */
export const topicIsSound = (topic: string, rules: TopicRules): boolean =>
  topicBound(topic, rules) === undefined && !topicIsReserved(topic, rules)

/** True for a client id that may be used. That it is text has been checked. */
export const clientIdIsSound = (id: string, lengthMax: number): boolean =>
  id.length > 0 && id.length <= lengthMax

/** Which bound a topic or filter is beyond, if any. */
export function topicBound(
  topic: string,
  { topicLength, topicLevels }: TopicRules,
): 'topicLength' | 'topicLevels' | undefined {
  if (topic.length > topicLength) return 'topicLength'
  let levels = 1
  for (let at = 0; at < topic.length; at += 1) if (topic.charCodeAt(at) === SLASH) levels += 1
  return levels > topicLevels ? 'topicLevels' : undefined
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
