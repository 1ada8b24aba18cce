import { keyIdOf, labelText, claimKeyOf, newClaimCode, sealBirth } from '../../../codec/index.ts'
import { ClaimBirth, type ClaimCode, type GatewayId } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import type { Actor } from '../kernel/actor.ts'
import { shareOf } from '../kernel/hashing.ts'
import type { DirectoryWorld, Writing } from '../kernel/write.ts'

/** A code that nobody has been told yet. */
export interface MintedCode {
  readonly code: ClaimCode
  readonly claimKey: string
}

/**
 * Made before the transaction, when it is the actor's turn, and only for who may: deriving the key takes a tenth of a
 * second. Throws DIRECTORY_BUSY.
 */
export async function mintCode(
  { hashing }: DirectoryWorld,
  actor: Actor,
  gateway: GatewayId,
): Promise<MintedCode> {
  const code = newClaimCode()
  const { publicKey } = await hashing.run(shareOf(actor), () => claimKeyOf(gateway, code))
  return { code, claimKey: publicKey }
}

export async function newestCode(
  read: DirectoryReader,
  gateway: string,
): Promise<DirectoryRow<'gateway_code'> | undefined> {
  const [newest] = await read.find(
    'gateway_code',
    { gateway },
    { orderBy: ['generation'], descending: true, limit: 1 },
  )
  return newest
}

/** What a new code leaves: the label that says it, which is kept nowhere, and the gateway's half of it. */
export interface NewCode {
  readonly label: string
  readonly generation: number
  /** As it travels, base64: `claim.birth` of the gateway. Null where this directory signs nothing. */
  readonly birth: string | null
}

/** The next code is the one that opens: what was reserved with one before it is over. */
export async function putCode(
  writing: Writing,
  { gateway, model, minted }: { gateway: DirectoryRow<'gateway'>; model: string; minted: MintedCode },
): Promise<NewCode> {
  const generation = ((await newestCode(writing.read, gateway.id))?.generation ?? 0) + 1
  await writing.add('gateway_code', {
    gateway: gateway.id,
    generation,
    model,
    claim_key: minted.claimKey,
    created_at: writing.at,
  })
  for (const reserved of await writing.read.find('claim_ticket', { gateway: gateway.id, state: 'live' }))
    await writing.put('claim_ticket', { ...reserved, state: 'revoked', revoked_at: writing.at })
  const serial = gateway.id as GatewayId
  const said = { v: 1, gateway: serial, model, generation, claimKey: minted.claimKey }
  const { seal } = writing.world
  return {
    label: labelText({ model, serial, keyFp: keyIdOf(gateway.public_key), code: minted.code }),
    generation,
    birth:
      seal === undefined ? null : Buffer.from(sealBirth(ClaimBirth.parse(said), seal())).toString('base64'),
  }
}
