import { expect } from 'vitest'
import { onSqlite, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const invite = (d: TestDirectory, by: string, org: string | null = 'acme') =>
  refusal(d.write.invitations.invite(d.as(by, org), { org: 'acme', email: 'new@example.org' }))
const signIn = (d: TestDirectory, login: string, password: string, address: string) =>
  refusal(d.doors.signIn({ login, password, address }))
const times = <T>(count: number, once: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => once(index)))

onSqlite((engine) => {
  engine.with('who may not invite uses up nothing of who may', async (d) => {
    await d.person('ana', 'acme')
    await d.person('eve')
    const tried = await times(201, () => invite(d, 'eve', null))
    expect(new Set(tried)).toEqual(new Set(['DIRECTORY_NOT_FOUND']))
    expect(await invite(d, 'ana')).toBe('done')
  })

  engine.with('who guesses a password from elsewhere locks nobody out', async (d) => {
    await d.person('ana', 'acme')
    expect(await signIn(d, 'ana', 'ana-password', '192.0.2.1')).toBe('done')
    const wrong = await times(12, () => signIn(d, 'ana@example.org', 'wrong', '198.51.100.1'))
    expect(wrong.filter((code) => code === 'DIRECTORY_TOO_MANY_TRIES')).toHaveLength(2)
    expect(await signIn(d, 'ana', 'ana-password', '198.51.100.2')).toBe('done')
    // From ever more addresses nobody guesses faster, and where she has signed in from she still does.
    await times(250, (index) => signIn(d, 'ana', 'wrong', `198.51.100.${10 + (index % 50)}`))
    expect(await signIn(d, 'ana', 'ana-password', '203.0.113.9')).toBe('DIRECTORY_TOO_MANY_TRIES')
    expect(await signIn(d, 'ana', 'ana-password', '192.0.2.1')).toBe('done')
  })
})
