import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openClaimDocument } from '../../../../cloud-sync/codec/index.ts'
import { claimDocuments } from '../../../../cloud-sync/cloud/directory/index.ts'
import { GatewayId } from '../../../../cloud-sync/contract/index.ts'
import { labelOf, newKey, onlineClaim, receiptBy, testRoot } from '../../../support/claims.ts'
import {
  DAY_MS,
  done,
  openTestDirectory,
  refusal,
  type TestDirectory,
} from '../../../support/directory-world.ts'

const gateway = GatewayId.parse('GW-1')
const key = newKey()
const { cloudId, seal, trust } = testRoot()

/** ana owns acme and bea owns borealis; GW-1 is provisioned. */
async function world(): Promise<{ directory: TestDirectory; label: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-claims-'))
  const directory = await openTestDirectory(
    { dialect: 'sqlite', path: join(folder, 'd.db') },
    { seal: () => seal },
  )
  onTestFinished(async () => {
    await directory.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await directory.person('ana', 'acme')
  await directory.person('bea', 'borealis')
  const made = await done(
    directory.write.claims.provision(directory.operator(), {
      gateway,
      model: 'HG-4',
      publicKey: key.publicKey,
    }),
  )
  return { directory, label: made.label }
}

const receive = (directory: TestDirectory, said: Readonly<Record<string, unknown>>) =>
  done(
    directory.write.claims.receive(directory.visitor(), {
      gateway,
      receipt: receiptBy(key, cloudId, { gateway, ...said }),
    }),
  )
const look = async (directory: TestDirectory) =>
  done(directory.ask.claims.look({ kind: 'operator', name: 'op' }, { gateway }))

async function reserved(directory: TestDirectory, label: string, org = 'acme', user = 'ana') {
  const input = await onlineClaim(labelOf(label), { org, user, cloudId })
  return done(directory.write.claims.reserve(directory.as(user, org), input))
}

test('a label reserves, and only what the gateway signs claims', async () => {
  const { directory, label } = await world()
  const { ticket } = await reserved(directory, label)
  expect(await look(directory)).toMatchObject({ state: 'unclaimed', org: null })
  const said = { org: 'acme', ticket, installer: 'ana' }
  expect(await receive(directory, said)).toMatchObject({ verdict: 'confirmed' })
  expect(await look(directory)).toMatchObject({
    state: 'claimed',
    org: 'acme',
    owners: [{ epoch: 1, org: 'acme' }],
  })
  // By phone and by gateway, in whatever order: it counts once.
  expect(await receive(directory, said)).toMatchObject({ verdict: 'confirmed' })
  expect((await look(directory)).receipts).toHaveLength(1)
})

test('the gateway is told its code, and who has reserved it while it is nobody’s', async () => {
  const { directory, label } = await world()
  const told = async () =>
    (await claimDocuments(directory.world, gateway)).map(
      (bytes) => openClaimDocument({ rootPublicKey: trust, gateway, bytes })?.what,
    )
  expect(await told()).toEqual(['birth'])
  const { ticket } = await reserved(directory, label)
  await reserved(directory, label, 'borealis', 'bea')
  expect(await told()).toEqual(['birth', 'ticket', 'ticket'])
  await receive(directory, { org: 'acme', ticket, installer: 'ana' })
  expect(await told()).toEqual(['birth'])
})

test('an unknown gateway, a claimed one, a wrong code and a proof for somebody else are refused in the same words', async () => {
  const { directory, label } = await world()
  const right = labelOf(label)
  const wrong = { ...right, code: '00000000000000000000' as typeof right.code }
  const unknown = { ...right, serial: GatewayId.parse('GW-9') }
  const asks = async (which: typeof right, user = 'ana', org = 'acme') =>
    directory.write.claims.reserve(directory.as('ana', 'acme'), {
      ...(await onlineClaim(which, { org, user, cloudId })),
      org: 'acme',
    })
  const refusals = [
    await asks(wrong),
    await asks(unknown),
    await asks(right, 'bea'),
    await asks(right, 'ana', 'borealis'),
  ]
  const { ticket } = await reserved(directory, label)
  await receive(directory, { org: 'acme', ticket, installer: 'ana' })
  refusals.push(await asks(right))
  for (const one of refusals) expect(one).toMatchObject({ ok: false, code: 'DIRECTORY_CLAIM_REFUSED' })
  expect(new Set(refusals.map((one) => JSON.stringify(one))).size).toBe(1)
})

test('guessing ends after ten tries whatever the tries were, and a valid claim is not put out by it', async () => {
  const { directory, label } = await world()
  const { ticket } = await reserved(directory, label)
  const wrong = { ...labelOf(label), code: '00000000000000000000' as ReturnType<typeof labelOf>['code'] }
  const guess = async (user = 'bea', org = 'borealis') =>
    refusal(
      directory.write.claims.reserve(
        directory.as(user, org),
        await onlineClaim(wrong, { org, user, cloudId }),
      ),
    )
  const answers = []
  for (let at = 0; at < 12; at += 1) answers.push(await guess())
  expect(answers.slice(0, 10).every((code) => code === 'DIRECTORY_CLAIM_REFUSED')).toBe(true)
  expect(answers.slice(10)).toEqual(['DIRECTORY_TOO_MANY_TRIES', 'DIRECTORY_TOO_MANY_TRIES'])
  // Somebody else is looked at all the same.
  expect(await guess('ana', 'acme')).toBe('DIRECTORY_CLAIM_REFUSED')
  expect(await receive(directory, { org: 'acme', ticket, installer: 'ana' })).toMatchObject({
    verdict: 'confirmed',
  })
})

test('a ticket with one use claims one of two gateways; the other is disputed until the operator decides', async () => {
  const { directory } = await world()
  const second = { id: GatewayId.parse('GW-2'), key: newKey() }
  await done(
    directory.write.claims.provision(directory.operator(), {
      gateway: second.id,
      model: 'HG-4',
      publicKey: second.key.publicKey,
    }),
  )
  const { ticket } = await done(directory.write.tickets.issue(directory.as('ana', 'acme'), { org: 'acme' }))
  const said = { org: 'acme', ticket, installer: 'ana' }
  expect(await receive(directory, said)).toMatchObject({ verdict: 'confirmed' })
  const other = await done(
    directory.write.claims.receive(directory.visitor(), {
      gateway: second.id,
      receipt: receiptBy(second.key, cloudId, { gateway: second.id, ...said }),
    }),
  )
  expect(other).toMatchObject({ verdict: 'disputed', because: 'used-up' })
  const operator = { kind: 'operator', name: 'op' } as const
  expect(await done(directory.ask.claims.look(operator, { gateway: second.id }))).toMatchObject({
    state: 'disputed',
    org: null,
    holds: [{ org: 'acme', winner: null }],
  })
  await done(directory.write.claims.decide(directory.operator(), { gateway: second.id, org: 'borealis' }))
  expect(await done(directory.ask.claims.look(operator, { gateway: second.id }))).toMatchObject({
    state: 'claimed',
    org: 'borealis',
    holds: [{ org: 'acme', winner: 'borealis' }],
  })
})

test('a ticket that is revoked before the receipt comes disputes, after it changes nothing', async () => {
  for (const revokedFirst of [true, false]) {
    const { directory } = await world()
    const { ticket } = await done(directory.write.tickets.issue(directory.as('ana', 'acme'), { org: 'acme' }))
    const revoke = () =>
      done(
        directory.write.tickets.revoke(directory.as('ana', 'acme'), {
          org: 'acme',
          ticket: ticket,
        }),
      )
    if (revokedFirst) await revoke()
    const said = await receive(directory, { org: 'acme', ticket, installer: 'ana' })
    if (!revokedFirst) await revoke()
    expect(said.verdict).toBe(revokedFirst ? 'disputed' : 'confirmed')
    expect((await look(directory)).state).toBe(revokedFirst ? 'disputed' : 'claimed')
  }
})

test('who lets a gateway go gets a new label; the old one opens nothing, and it stays theirs until the gateway knows', async () => {
  const { directory, label } = await world()
  const { ticket } = await reserved(directory, label)
  await receive(directory, { org: 'acme', ticket, installer: 'ana' })
  const freed = await done(
    directory.write.claims.release(directory.as('ana', 'acme'), { org: 'acme', gateway }),
  )
  expect(await look(directory)).toMatchObject({ state: 'releasing', org: 'acme' })
  expect(await receive(directory, { what: 'released', generation: 2 })).toMatchObject({ verdict: 'released' })
  expect(await look(directory)).toMatchObject({ state: 'unclaimed', org: null })
  const old = await onlineClaim(labelOf(label), { org: 'borealis', user: 'bea', cloudId })
  expect(await refusal(directory.write.claims.reserve(directory.as('bea', 'borealis'), old))).toBe(
    'DIRECTORY_CLAIM_REFUSED',
  )
  const next = await reserved(directory, freed.label, 'borealis', 'bea')
  // The old claim's receipt, and a new one under the old code.
  expect(await receive(directory, { org: 'acme', ticket, installer: 'ana' })).toMatchObject({
    verdict: 'confirmed',
  })
  expect(await receive(directory, { org: 'acme', ticket, installer: 'ana', claimCounter: 2 })).toMatchObject({
    verdict: 'void',
    because: 'other-code',
  })
  expect(
    await receive(directory, {
      org: 'borealis',
      ticket: next.ticket,
      installer: 'bea',
      claimCounter: 3,
      generation: 2,
    }),
  ).toMatchObject({ verdict: 'confirmed' })
  expect(await look(directory)).toMatchObject({
    org: 'borealis',
    owners: [
      { epoch: 1, org: 'acme' },
      { epoch: 2, org: 'borealis' },
    ],
  })
})

test('a stranger’s receipt, and one that was signed for another cloud, are nothing', async () => {
  const { directory } = await world()
  for (const receipt of [
    receiptBy(newKey(), cloudId, { gateway, org: 'acme', ticket: 't', installer: 'ana' }),
    receiptBy(key, '0'.repeat(16), { gateway, org: 'acme', ticket: 't', installer: 'ana' }),
    'AAAA',
  ])
    expect(await refusal(directory.write.claims.receive(directory.visitor(), { gateway, receipt }))).toBe(
      'DIRECTORY_CLAIM_REFUSED',
    )
})

test('the same reservation with the same key is made once, and its label is shown once', async () => {
  const { directory, label } = await world()
  const input = await onlineClaim(labelOf(label), { org: 'acme', user: 'ana', cloudId })
  const call = directory.as('ana', 'acme')
  const first = await done(directory.write.claims.reserve(call, input))
  expect(await directory.write.claims.reserve(call, input)).toMatchObject({
    repeated: true,
    value: { ticket: first.ticket },
  })
  const provisioning = directory.operator()
  const factory = { gateway: GatewayId.parse('GW-3'), model: 'HG-4', publicKey: newKey().publicKey }
  expect((await done(directory.write.claims.provision(provisioning, factory))).label).not.toBeNull()
  expect((await done(directory.write.claims.provision(provisioning, factory))).label).toBeNull()
})

test('a reservation is over after a day', async () => {
  const { directory, label } = await world()
  await reserved(directory, label)
  directory.pass(DAY_MS + 1)
  expect(await claimDocuments(directory.world, gateway)).toHaveLength(1)
})

test('who guesses on waits twice as long each time, and the gateway is not kept from its owner for it', async () => {
  const { directory, label } = await world()
  const one = labelOf(label)
  const wrong = { ...one, code: '00000000000000000000' as typeof one.code }
  const input = await onlineClaim(wrong, { org: 'borealis', user: 'bea', cloudId })
  const triesUntilRefused = async (): Promise<number> => {
    for (let tries = 0; ; tries += 1) {
      const elsewhere = { ...input, gateway: `GW-X${tries}` as typeof input.gateway }
      const code = await refusal(directory.write.claims.reserve(directory.as('bea', 'borealis'), elsewhere))
      if (code === 'DIRECTORY_TOO_MANY_TRIES') return tries
    }
  }
  expect(await triesUntilRefused()).toBe(30)
  directory.pass(16 * 60_000)
  expect(await triesUntilRefused()).toBe(0)
  directory.pass(15 * 60_000)
  expect(await triesUntilRefused()).toBe(30)
  directory.pass(31 * 60_000)
  expect(await triesUntilRefused()).toBe(0)
  expect(await reserved(directory, label)).toMatchObject({ gateway })
})

test('nobody founds an organisation by the name of nobody', async () => {
  const { directory } = await world()
  const founding = { id: 'unclaimed', name: 'Nobody' }
  expect(await refusal(directory.write.organisations.create(directory.as('ana', 'acme'), founding))).toBe(
    'DIRECTORY_EXISTS',
  )
})
