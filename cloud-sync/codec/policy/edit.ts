import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { z } from 'zod'
import { SyncError } from '../../contract/index.ts'
import { fromJson, toJson } from '../json.ts'

/** What a delta unpacks to at most, bytes. */
const EDIT_BYTES_MAX = 1024 * 1024
/** What DEFLATE can look back to, bytes. */
const DICTIONARY_BYTES_MAX = 32 * 1024

/**
 * Words of snapshots, the likely ones last: both ends know them, so they cost next to nothing. They are part of the format:
 * another text needs another version byte of deltas.
 */
const WORDS = Buffer.from(
  '"workspaces":[]"teams":[]"roles":[]"items":[]"links":[]"sensors":[]"devices":[]"policies":[]"organisations":[]' +
    '{"id":"","partner":"","customer":"","state":"active","cap":"super-installer","expiresAt":null,"offlineTtl":null}' +
    '{"id":"","from":"","to":"","state":"active","maxLevel":"editor","offlineTtl":null}' +
    '{"id":"","name":"","type":"standard","preset":"headgate","visibility":"private","billing":"inApp","state":"active"}' +
    '{"device":"","sensor":"","org":"","ownerEpoch":1,"custodian":null,"custodianIncarnation":1,"workspace":null,"state":"active"}' +
    '{"kind":"workspace","workspace":""}{"kind":"gateway"}{"kind":"item","item":""}{"kind":"team","org":"","team":""}' +
    '{"kind":"org","org":""}"role":"owner""role":"admin""role":"viewer""role":"editor"true"suspended""left""read"' +
    '[["members",[[,{"org":"","name":"","role":"member","incarnation":1,"state":"active","billing":false,"custom":null}]]]' +
    '["keys",[[,{"org":"","name":"","member":"","incarnation":1,"scope":"full","expiresAt":null,"hash":""}]]]' +
    '["grants",[[,{"id":"","on":{"kind":"sensor","device":"","sensor":"main"},"to":{"kind":"member","org":"","name":"",' +
    '"incarnation":1},"level":"viewer","ownerEpoch":1,"via":null,"by":{"org":"","name":"","incarnation":1},"custom":null,' +
    '"expiresAt":null,"offlineTtl":null,"legacy":false}]]]["freshUntil",17],["hardUntil",17],["issuedAt",17',
)

/** At this index of the old list so many entries go, and these come. Indexes ascend and never touch. */
const Splice = z.tuple([z.int().min(0), z.int().min(0)], z.unknown())
/** A list's splices, or another part's new value. */
const Change = z.union([
  z.tuple([z.string(), z.literal('='), z.unknown()]),
  z.tuple([z.string(), z.array(Splice)]),
])
const Edit = z.array(Change).max(64)
type Edit = z.infer<typeof Edit>
type Splice = z.infer<typeof Splice>

/** What a change never touches: another generation needs another keyset, and the version stands in the delta's head. */
const FIXED: readonly string[] = ['v', 'gateway', 'generation', 'version']

type Parts = Readonly<Record<string, unknown>>

const partsOf = (body: Uint8Array): Parts => fromJson(z.record(z.string(), z.unknown()), body)

/**
 * What changes a policy's text into another, packed. Undefined where the parts have other names or another order: then
 * only the whole will do.
 */
export function makeEdit(from: Uint8Array, to: Uint8Array): Uint8Array | undefined {
  const [old, fresh] = [partsOf(from), partsOf(to)]
  if (Object.keys(old).join() !== Object.keys(fresh).join()) return undefined
  const edit: Edit = []
  for (const [name, value] of Object.entries(fresh)) {
    const before = old[name]
    if (name === 'version' || JSON.stringify(before) === JSON.stringify(value)) continue
    if (FIXED.includes(name)) return undefined
    if (Array.isArray(before) && Array.isArray(value)) edit.push([name, splicesOf(before, value)])
    else edit.push([name, '=', value])
  }
  return deflateRawSync(toJson(edit), { dictionary: dictionaryFor(from), level: 9, memLevel: 9 })
}

/** The text after the edit; throws where the edit is none, or none of this text. */
export function applyEdit(from: Uint8Array, packed: Uint8Array, version: number): Uint8Array {
  const unpacked = inflateRawSync(packed, {
    dictionary: dictionaryFor(from),
    maxOutputLength: EDIT_BYTES_MAX,
  })
  const parts = new Map(Object.entries(partsOf(from)))
  for (const change of fromJson(Edit, unpacked)) {
    const before = parts.get(change[0])
    if (before === undefined || FIXED.includes(change[0])) throw notOfThis()
    parts.set(change[0], change.length === 3 ? change[2] : spliced(before, change[1]))
  }
  parts.set('version', version)
  return toJson(Object.fromEntries(parts))
}

/** The end of the old text, which is shares, then the words. */
const dictionaryFor = (from: Uint8Array): Uint8Array =>
  Buffer.concat([from.subarray(-(DICTIONARY_BYTES_MAX - WORDS.length)), WORDS])

const notOfThis = (): SyncError => new SyncError('SYNC_MESSAGE_MALFORMED', 'The change is of another policy.')

/** Entries that are in both, in order, stay; lists are sorted, so that is nearly always the least. */
function splicesOf(before: readonly unknown[], after: readonly unknown[]): Splice[] {
  const places = new Map<string, number[]>()
  for (const [index, entry] of before.entries()) {
    const text = JSON.stringify(entry)
    places.set(text, [...(places.get(text) ?? []), index])
  }
  const splices: Splice[] = []
  let at = 0
  let coming: unknown[] = []
  const keep = (index: number): void => {
    if (index > at || coming.length > 0) splices.push([at, index - at, ...coming])
    coming = []
    at = index + 1
  }
  for (const entry of after) {
    const next = places.get(JSON.stringify(entry))?.find((index) => index >= at)
    if (next === undefined) coming.push(entry)
    else keep(next)
  }
  keep(before.length)
  return splices
}

function spliced(before: unknown, splices: readonly Splice[]): unknown[] {
  if (!Array.isArray(before)) throw notOfThis()
  const list = before as readonly unknown[]
  const after: unknown[] = []
  let at = 0
  for (const [index, gone, ...coming] of splices) {
    if (index < at || index + gone > list.length) throw notOfThis()
    for (const entry of list.slice(at, index)) after.push(entry)
    for (const entry of coming) after.push(entry)
    at = index + gone
  }
  return [...after, ...list.slice(at)]
}
