import { downTopic, type GatewayId, PolicyHead } from '../../contract/index.ts'
import { chunkPolicy, sealAck, sealChangeAck, shardOf } from '../../codec/index.ts'
import type { Claims } from '../claims.ts'
import type { Policies, SealedPolicy } from '../policies/index.ts'
import type { CloudKeys } from '../keys/index.ts'
import type { Log } from '../log.ts'
import type { Answer, Outcome } from './posting.ts'

export interface SenderSettings {
  readonly claims: Pick<Claims, 'documentsFor'>
  readonly policies: Policies
  readonly keys: Pick<CloudKeys, 'signing'>
  /** Wall clock, epoch ms. */
  readonly now: () => number
  readonly log: Log
  /** Hands a message to the broker, or drops it: whoever misses an answer asks again. */
  readonly send: (message: { topic: string; payload: Uint8Array; retain: boolean }) => void
}

/** Everything that goes to gateways. */
export interface Sender {
  /** What follows from a commit that is done: acknowledgements, and the policy where it was asked for. */
  readonly afterCommit: (outcomes: readonly Outcome[]) => void
  /** The hint and the snapshot itself. */
  readonly policyChanged: (gateway: GatewayId, sealed: SealedPolicy) => void
  /** What there is to say about claiming. */
  readonly claimNews: (gateway: GatewayId) => void
}

export function createSender({ policies, claims, keys, now, log, send }: SenderSettings): Sender {
  const sendAnswer = (gateway: GatewayId, { stream, ...body }: Answer): void => {
    const payload = sealAck({ stream, gateway, ack: { ...body, serverTime: now() }, key: keys.signing })
    send({ topic: downTopic(shardOf(gateway), gateway, `ack/${stream}`), payload, retain: false })
  }
  const sendHeard = ({ gateway, heard }: Outcome): void => {
    if (heard === undefined) return
    const payload = sealChangeAck({ gateway, ack: { ...heard, serverTime: now() }, key: keys.signing })
    send({ topic: downTopic(shardOf(gateway), gateway, 'ack/prop'), payload, retain: false })
  }
  const sendHead = (gateway: GatewayId, { generation, version, hash }: SealedPolicy): void => {
    const payload = Buffer.from(JSON.stringify(PolicyHead.parse({ generation, rev: version, hash })))
    send({ topic: downTopic(shardOf(gateway), gateway, 'pol/head'), payload, retain: true })
  }
  const sendPolicy = (gateway: GatewayId, message: Uint8Array): void => {
    // Some brokers that operators run carry no more than 60 KiB at once.
    for (const payload of chunkPolicy(message))
      send({ topic: downTopic(shardOf(gateway), gateway, 'pol/d'), payload, retain: false })
  }
  const sendClaims = async (gateway: GatewayId): Promise<void> => {
    for (const payload of await claims.documentsFor(gateway)) {
      send({ topic: downTopic(shardOf(gateway), gateway, 'claim'), payload, retain: false })
    }
  }
  const claimNews = (gateway: GatewayId): void => {
    sendClaims(gateway).catch((error: unknown) => {
      log.error({ err: error, gateway }, 'nothing was said about claiming')
    })
  }
  const offerPolicy = async ({ gateway, have, online }: Outcome): Promise<void> => {
    if (have === undefined && online !== true) return
    if (online === true) {
      const sealed = await policies.sealedFor(gateway)
      if (sealed !== undefined) sendHead(gateway, sealed)
    }
    if (have === undefined) return
    // Before the policy, because a release must be heard before who owns it next.
    await sendClaims(gateway)
    const message = await policies.answerTo(gateway, have)
    if (message !== undefined) sendPolicy(gateway, message)
  }
  const pushPolicy = async (gateway: GatewayId, { generation, version }: SealedPolicy): Promise<void> => {
    // From the version before: a gateway that has another one asks.
    const message = await policies.answerTo(gateway, { generation, version: version - 1 })
    if (message !== undefined) sendPolicy(gateway, message)
  }
  return {
    claimNews,
    afterCommit(outcomes) {
      for (const { gateway, answer } of newestOf(outcomes)) sendAnswer(gateway, answer)
      for (const outcome of outcomes) {
        sendHeard(outcome)
        offerPolicy(outcome).catch((error: unknown) => {
          log.error({ err: error, gateway: outcome.gateway }, 'policy not sent')
        })
      }
    },
    policyChanged(gateway, sealed) {
      claimNews(gateway)
      sendHead(gateway, sealed)
      pushPolicy(gateway, sealed).catch((error: unknown) => {
        log.error({ err: error, gateway }, 'policy not sent')
      })
    },
  }
}

/** Acknowledgements are cumulative: of several plain ones for a stream the last says it all. */
function newestOf(outcomes: readonly Outcome[]): { gateway: GatewayId; answer: Answer }[] {
  const kept = new Map<string, { gateway: GatewayId; answer: Answer }>()
  for (const { gateway, answers } of outcomes) {
    for (const answer of answers) {
      const name = `${gateway} ${answer.stream} ${answer.epoch} ${answer.status}`
      kept.delete(name)
      kept.set(name, { gateway, answer })
    }
  }
  return [...kept.values()]
}
