import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ClaimGuard } from '../../../agent/claim/guard.ts'
import { NO_BUTTON } from '../../../agent/claim/presence.ts'
import { ClaimService } from '../../../agent/claim/service.ts'
import {
  openChallenge,
  openReceipt,
  sealBirth,
  sealSiteProof,
  sealTicket,
  type SigningKey,
} from '../../../cloud-sync/codec/index.ts'
import {
  ClaimNonce,
  ClaimTicket,
  GatewayId,
  type PolicySnapshot,
} from '../../../cloud-sync/contract/index.ts'
import { newKey, testRoot } from '../../support/claims.ts'

const gateway = GatewayId.parse('GW-1')
const identity = newKey()
const [label, nextLabel] = [newKey(), newKey()]
const { trust, cloudId, seal } = testRoot()

const birth = (generation: number, key: SigningKey): Uint8Array =>
  sealBirth({ v: 1, gateway, model: 'HG-4', generation, claimKey: key.publicKey }, seal)
const ticketOf = (id: string, org: string, serials: readonly string[] | null = null): Uint8Array =>
  sealTicket(
    ClaimTicket.parse({
      v: 1,
      id,
      kind: 'ticket',
      organisation: { id: org, name: org },
      workspace: null,
      installer: 'ian',
      serials,
      maxUses: 1,
      from: 0,
      until: 1,
      members: [{ org, name: 'ian', role: 'owner', incarnation: 1 }],
      keys: [],
    }),
    seal,
  )

interface Site {
  claim: ClaimService
  inForce: PolicySnapshot | null
  events: number
  now: number
  stored: Pick<PolicySnapshot, 'owner'> | null
  /** An hour goes by. */
  hour: () => void
  /** As after a power cut. */
  restart(): Promise<void>
  prove(key: SigningKey, ticket: string): Uint8Array
}

async function site(): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-claim-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  let stored: unknown
  const made = (): ClaimService =>
    new ClaimService({
      gateway,
      trust,
      key: identity,
      keeper: {
        read: () => stored,
        write: (state, { event }) => {
          stored = JSON.parse(JSON.stringify(state)) as unknown
          if (event !== null) on.events += 1
          return Promise.resolve()
        },
      },
      guard: new ClaimGuard(folder, () => on.now),
      policy: {
        name: () => '',
        stored: () => on.stored as PolicySnapshot | null,
        overrule: (snapshot) => {
          on.inForce = snapshot
        },
        onStored: () => () => undefined,
      },
      presence: NO_BUTTON,
      trustedMs: () => null,
      wallMs: () => 0,
      monoMs: () => on.now,
      bootId: 'boot',
      eachHour: (run) => {
        on.hour = run
        return () => undefined
      },
      log: { info: () => undefined, warn: () => undefined },
    })
  const on: Site = {
    claim: undefined as unknown as ClaimService,
    inForce: null,
    events: 0,
    now: 0,
    stored: null,
    hour: () => undefined,
    async restart() {
      on.inForce = null
      on.claim = made()
      await on.claim.start()
    },
    prove(key, ticket) {
      const nonceP = ClaimNonce.parse('a'.repeat(32))
      const answer = openChallenge(on.claim.challenge(nonceP), { nonceP, publicKey: identity.publicKey })
      if (answer === undefined) throw new Error('the gateway did not sign for this nonce')
      const proof = {
        v: 1,
        gateway,
        nonceP,
        nonceG: answer.nonceG,
        ticket: ticket as ClaimTicket['id'],
      } as const
      return sealSiteProof(proof, key)
    },
  }
  await on.restart()
  expect(await on.claim.deliver(birth(1, label))).toBe(true)
  return on
}

const refused = async (claiming: Promise<unknown>): Promise<string> =>
  claiming.then(
    () => 'claimed',
    (error: unknown) => JSON.stringify([(error as { code: string }).code, (error as Error).message]),
  )

test('with no network, a ticket and the label claim the gateway, once, also through a power cut', async () => {
  const on = await site()
  const ticket = ticketOf('t-1', 'acme')
  const facts = await on.claim.claim({ ticket, proof: on.prove(label, 't-1') })
  expect(facts).toMatchObject({ state: 'provisional', organisation: 'acme' })
  const message = Buffer.from(facts.receipt ?? '', 'base64')
  const receipt = openReceipt(message, { cloudId, publicKey: identity.publicKey })
  expect(receipt).toMatchObject({
    what: 'claimed',
    org: 'acme',
    ticket: 't-1',
    claimCounter: 1,
    presence: 'code',
  })
  expect(on.inForce).toMatchObject({
    owner: { org: 'acme', claim: 'provisional' },
    members: [{ name: 'ian' }],
    grants: [],
  })
  await on.restart()
  expect(on.inForce).toMatchObject({ owner: { org: 'acme', claim: 'provisional' } })
  // The answer was lost: the same again gets the same receipt, and nothing is told twice.
  const again = await on.claim.claim({ ticket, proof: on.prove(label, 't-1') })
  expect(again.receipt).toBe(facts.receipt)
  expect(on.events).toBe(1)
})

test('a stranger on site is told the state and not whose it is; who claimed is told the receipt, for an hour', async () => {
  const on = await site()
  const named = ({ organisation, receipt }: ReturnType<ClaimService['told']>) => [organisation, receipt]
  const { receipt } = await on.claim.claim({
    ticket: ticketOf('t-1', 'acme'),
    proof: on.prove(label, 't-1'),
  })
  for (const ticket of [undefined, '', 't-2', 't-11'])
    expect(named(on.claim.told(ticket))).toEqual([null, null])
  expect(on.claim.told(undefined)).toMatchObject({ gateway, state: 'provisional', lockedSeconds: 0 })
  expect(named(on.claim.told('t-1'))).toEqual(['acme', receipt])
  on.now += 3_600_001
  expect(named(on.claim.told('t-1'))).toEqual([null, null])
  // What says that it was let go names nobody: the phone that brought the word takes it along.
  await on.claim.deliver(birth(2, nextLabel))
  expect(on.claim.told(undefined)).toMatchObject({
    state: 'unclaimed',
    organisation: null,
    receipt: expect.any(String) as string,
  })
})

test('whatever is wrong, the refusal is the same to the byte', async () => {
  const on = await site()
  const good = ticketOf('t-1', 'acme')
  const spent = on.prove(label, 't-1')
  const answers = [
    await refused(on.claim.claim({ ticket: good, proof: on.prove(newKey(), 't-1') })),
    await refused(
      on.claim.claim({ ticket: ticketOf('t-2', 'acme', ['GW-9']), proof: on.prove(label, 't-2') }),
    ),
    await refused(on.claim.claim({ ticket: new Uint8Array(9), proof: on.prove(label, 't-1') })),
    await refused(on.claim.claim({ ticket: good, proof: on.prove(label, 't-3') })),
  ]
  await on.claim.claim({ ticket: good, proof: spent })
  answers.push(
    await refused(on.claim.claim({ ticket: ticketOf('t-4', 'borealis'), proof: on.prove(label, 't-4') })),
  )
  answers.push(await refused(on.claim.claim({ ticket: good, proof: spent })))
  expect(new Set(answers).size).toBe(1)
  expect(on.claim.facts()).toMatchObject({ state: 'provisional', organisation: 'acme' })
})

test('after five wrong proofs the gateway locks, a reboot does not help, and a right one then claims', async () => {
  const on = await site()
  const ticket = ticketOf('t-1', 'acme')
  const guess = () => refused(on.claim.claim({ ticket, proof: on.prove(newKey(), 't-1') }))
  for (let at = 0; at < 5; at += 1) expect(await guess()).toContain('CLAIM_REFUSED')
  expect(await guess()).toContain('CLAIM_LOCKED')
  on.now += 59_000
  await on.restart()
  expect(on.claim.facts().lockedSeconds).toBe(60)
  expect(await refused(on.claim.claim({ ticket, proof: on.prove(label, 't-1') }))).toContain('CLAIM_LOCKED')
  on.now += 60_000
  expect(await guess()).toContain('CLAIM_REFUSED')
  expect(on.claim.facts().lockedSeconds).toBe(120)
  on.now += 120_000
  expect(await refused(on.claim.claim({ ticket, proof: on.prove(label, 't-1') }))).toBe('claimed')
})

test('let go, nobody may do anything, the old label opens nothing, and the new one does', async () => {
  const on = await site()
  await on.claim.claim({ ticket: ticketOf('t-1', 'acme'), proof: on.prove(label, 't-1') })
  expect(await on.claim.deliver(birth(2, nextLabel))).toBe(true)
  expect(on.claim.facts()).toMatchObject({ state: 'unclaimed' })
  expect(on.inForce).toMatchObject({ owner: { claim: 'unclaimed' }, members: [] })
  const ticket = ticketOf('t-2', 'borealis')
  expect(await refused(on.claim.claim({ ticket, proof: on.prove(label, 't-2') }))).toContain('CLAIM_REFUSED')
  // The old birth again changes nothing.
  await on.claim.deliver(birth(1, label))
  expect(await refused(on.claim.claim({ ticket, proof: on.prove(nextLabel, 't-2') }))).toBe('claimed')
  expect(on.events).toBe(3)
})

test('somebody else’s documents are refused', async () => {
  const on = await site()
  const other = testRoot()
  expect(
    await on.claim.deliver(
      sealBirth({ v: 1, gateway, model: 'HG-4', generation: 5, claimKey: label.publicKey }, other.seal),
    ),
  ).toBe(false)
  expect(await on.claim.deliver(ticketOf('t-1', 'acme'))).toBe(false)
  expect(await on.claim.deliver(new Uint8Array())).toBe(false)
})

test('a claim that nobody confirms goes on, and is told of after 30 days of running, also with restarts', async () => {
  const on = await site()
  for (let hour = 0; hour < 1_000; hour += 1) on.hour()
  await on.claim.claim({ ticket: ticketOf('t-1', 'acme'), proof: on.prove(label, 't-1') })
  const pass = async (hours: number): Promise<void> => {
    for (let hour = 0; hour < hours; hour += 1) on.hour()
    await on.claim.stop()
    await on.restart()
  }
  await pass(700)
  await pass(19)
  expect(on.events).toBe(1)
  await pass(1)
  expect(on.events).toBe(2)
  expect(on.claim.facts()).toMatchObject({ state: 'provisional', organisation: 'acme' })
})

test('what is decided before the cloud’s word is decided under the epoch that it will give', async () => {
  const on = await site()
  const owner = (org: string, ownerEpoch: number) =>
    ({ owner: { org, ownerEpoch, claim: 'unclaimed' } }) as unknown as NonNullable<Site['stored']>
  on.stored = owner('unclaimed', 1)
  await on.claim.claim({ ticket: ticketOf('t-1', 'acme'), proof: on.prove(label, 't-1') })
  expect(on.inForce?.owner).toMatchObject({ org: 'acme', ownerEpoch: 1 })
  on.stored = owner('acme', 1)
  await on.claim.deliver(birth(2, nextLabel))
  await on.claim.claim({ ticket: ticketOf('t-2', 'borealis'), proof: on.prove(nextLabel, 't-2') })
  expect(on.inForce?.owner).toMatchObject({ org: 'borealis', ownerEpoch: 2 })
})
