import {
  type GatewayId,
  type Hash,
  type OrgId,
  type SealedRecord,
  SyncError,
  ZERO_HASH,
} from '../contract/index.ts'
import {
  cloudIdOf,
  decodeRecord,
  decodeUsageBatch,
  SIGNED_HEAD_BYTES,
  type SigningKey,
  sha256,
} from '../codec/index.ts'
import { frameLine } from './frame.ts'
import {
  type EvidenceFact,
  type EvidenceLine,
  type EvidencePeriod,
  type EvidenceScope,
  type EvidenceStream,
  HASHES_MAX,
} from './lines.ts'
import { sealWord } from './words.ts'

/** What the ledger has of one gateway at one moment. */
export interface GatewayStand {
  /** Epochs, in any order. */
  readonly streams: readonly EvidenceStream[]
  /** The sums that it claims, of one organisation or of all. */
  readonly facts: readonly EvidenceFact[]
}

/** What evidence is made of; the ledger implements it. It may grow meanwhile: a stream is read up to its `upTo`. */
export interface EvidenceSource {
  /** Epochs, in any order, as they are now. */
  streams(gateway: GatewayId): Promise<readonly EvidenceStream[]>
  /** Both as of the same moment. */
  stand(gateway: GatewayId, asked: EvidencePeriod & { readonly org: OrgId | null }): Promise<GatewayStand>
  /** The signed messages as they came, in the order of their last numbers; they may overlap, and numbers may be missing. */
  batches(gateway: GatewayId, stream: EvidenceStream): AsyncIterable<Uint8Array>
  /** Stored bytes of the records from `first` to `last`, in order. */
  records(gateway: GatewayId, stream: EvidenceStream, range: Range): AsyncIterable<Uint8Array>
  /** Numbers of an epoch that nobody has any more, in order, with the hash of the last of each stretch. */
  losses(gateway: GatewayId, stream: EvidenceStream): Promise<readonly (Range & { readonly prev: Hash })[]>
  /** Claim receipts that the gateway signed: for one organisation, or all. */
  receipts(gateway: GatewayId, org: OrgId | null): Promise<readonly Uint8Array[]>
}

interface Range {
  readonly first: number
  readonly last: number
}

export interface EvidenceOrder {
  readonly scope: EvidenceScope
  readonly period: EvidencePeriod
  /** The gateways that were asked for, which the file tells; null = all that the scope has. */
  readonly only: readonly GatewayId[] | null
  readonly gateways: readonly { readonly id: GatewayId; readonly publicKey: string }[]
  /** What the cloud signs with, and the root's word on it. */
  readonly keys: {
    readonly rootPublicKey: string
    readonly keyset: Uint8Array
    readonly signing: SigningKey
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/**
 * The lines of an evidence file (docs/evidence.md), one after another, for a ledger of any length. The same ledger and
 * the same order give the same bytes.
 */
export async function* writeEvidence(source: EvidenceSource, order: EvidenceOrder): AsyncGenerator<string> {
  let [hash, lines]: [Hash, number] = [ZERO_HASH, 0]
  for await (const line of content(source, order)) {
    const framed = frameLine(hash, line)
    hash = framed.hash
    lines += 1
    yield framed.text
  }
  const { rootPublicKey, signing: key } = order.keys
  const by = { cloudId: cloudIdOf(rootPublicKey), key }
  const message = base64(sealWord({ v: 1, what: 'seal', lines, hash }, by))
  yield frameLine(hash, { t: 'seal', message } satisfies EvidenceLine).text
}

async function* content(source: EvidenceSource, order: EvidenceOrder): AsyncGenerator<EvidenceLine> {
  const { scope, period, keys } = order
  const only = order.only === null ? null : [...new Set(order.only)].toSorted()
  const { rootPublicKey: root, signing: key } = keys
  yield { t: 'head', format: 'headgate-evidence', v: 2, root, scope, period, only }
  yield { t: 'keyset', message: base64(keys.keyset) }
  for (const { id } of inOrder(order.gateways)) yield* contents(id, await source.streams(id))
  const org = scope.of === 'organisation' ? scope.org : null
  for (const { id: gateway, publicKey } of inOrder(order.gateways)) {
    const word = { v: 1, what: 'registration', gateway, publicKey } as const
    yield { t: 'gateway', gateway, registration: base64(sealWord(word, { cloudId: cloudIdOf(root), key })) }
    for (const receipt of await source.receipts(gateway, org)) yield { t: 'claim', message: base64(receipt) }
    const { streams, facts } = await source.stand(gateway, { ...period, org })
    for (const { quantity, ...fact } of facts) yield { t: 'fact', ...fact, quantity: quantity.toString() }
    for (const stream of parentsFirst(streams)) {
      yield { t: 'stream', ...stream }
      yield* records(source, { gateway, stream, scope })
    }
  }
}

/** What will be there at least, so that a reader sees what is missing. */
function* contents(gateway: GatewayId, streams: readonly EvidenceStream[]): Generator<EvidenceLine> {
  if (streams.length === 0) yield { t: 'contents', gateway, epoch: null, upTo: 0, head: ZERO_HASH }
  for (const { epoch, upTo, head } of parentsFirst(streams))
    yield { t: 'contents', gateway, epoch, upTo, head }
}

interface Place {
  readonly gateway: GatewayId
  readonly stream: EvidenceStream
  readonly scope: EvidenceScope
}

/** Whole messages where the reader may see all that is in them; else records and hashes. */
async function* records(source: EvidenceSource, place: Place): AsyncGenerator<EvidenceLine> {
  const { gateway, stream } = place
  let next = 1
  const losses = (await source.losses(gateway, stream)).filter(({ last }) => last < stream.upTo)
  const stretch = (range: Range) => between(source, { place, range, losses })
  for await (const message of source.batches(gateway, stream)) {
    const batch = decodeUsageBatch(message.subarray(SIGNED_HEAD_BYTES))
    const { first, last } = batch
    // Of what came while this is written, only what began before.
    if (last < next || last > stream.upTo) continue
    yield* stretch({ first: next, last: first - 1 })
    next = Math.max(next, first)
    if (batch.records.every((sealed) => isShown(place.scope, sealed))) {
      const head = batch.records.at(-1)?.hash ?? ZERO_HASH
      yield { t: 'batch', first, last, head, message: base64(message) }
    } else yield* loose(from(batch.records, next), place)
    next = last + 1
  }
  yield* stretch({ first: next, last: stream.upTo })
}

/** What no message brought: records one by one, and the word that some are lost. */
async function* between(
  source: EvidenceSource,
  {
    place,
    range,
    losses,
  }: { place: Place; range: Range; losses: Awaited<ReturnType<EvidenceSource['losses']>> },
): AsyncGenerator<EvidenceLine> {
  let next = range.first
  for (const { first, last, prev } of losses) {
    if (first < next || last > range.last) continue
    yield* loose(stored(source, place, { first: next, last: first - 1 }), place)
    yield { t: 'lost', first, last, prev }
    next = last + 1
  }
  yield* loose(stored(source, place, { first: next, last: range.last }), place)
}

const isShown = (scope: EvidenceScope, { record }: SealedRecord): boolean =>
  scope.of === 'operator' || record.org === scope.org

async function* stored(
  source: EvidenceSource,
  { gateway, stream }: Place,
  range: Range,
): AsyncGenerator<SealedRecord> {
  if (range.first > range.last) return
  for await (const bytes of source.records(gateway, stream, range))
    yield { record: decodeRecord(bytes), bytes, hash: sha256(bytes) }
}

async function* from(records: readonly SealedRecord[], first: number): AsyncGenerator<SealedRecord> {
  for (const sealed of records) if (sealed.record.seq >= first) yield await Promise.resolve(sealed)
}

/** Records one by one, and of others' only the hashes. */
async function* loose(records: AsyncIterable<SealedRecord>, { scope }: Place): AsyncGenerator<EvidenceLine> {
  let hidden: { first: number; hashes: Hash[] } | undefined
  for await (const sealed of records) {
    const { seq } = sealed.record
    if (isShown(scope, sealed)) {
      if (hidden !== undefined) yield { t: 'others', ...hidden }
      hidden = undefined
      yield { t: 'record', seq, bytes: base64(sealed.bytes) }
      continue
    }
    hidden ??= { first: seq, hashes: [] }
    hidden.hashes.push(sealed.hash)
    if (hidden.hashes.length < HASHES_MAX) continue
    yield { t: 'others', ...hidden }
    hidden = undefined
  }
  if (hidden !== undefined) yield { t: 'others', ...hidden }
}

const inOrder = <T extends { readonly id: string }>(gateways: readonly T[]): T[] =>
  gateways.toSorted((a, b) => (a.id < b.id ? -1 : 1))

/** Each epoch after the one that it continues; what continues nothing first. */
function parentsFirst(streams: readonly EvidenceStream[]): EvidenceStream[] {
  const ordered: EvidenceStream[] = []
  let parent: string | null = null
  for (;;) {
    const next = streams.find((stream) => stream.parent === parent)
    if (next === undefined || ordered.length === streams.length) break
    ordered.push(next)
    parent = next.epoch
  }
  if (ordered.length === streams.length) return ordered
  throw new SyncError('SYNC_MESSAGE_MALFORMED', 'The epochs of a gateway do not follow each other.')
}
