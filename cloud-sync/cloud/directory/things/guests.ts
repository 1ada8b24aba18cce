import type { Writing } from '../kernel/write.ts'

/**
 * Whoever owns the gateway now is the host of the guests on it, and may end that; its own device there is nobody's guest
 * any more. While it is nobody's so are they. The caller holds the chain of `to`.
 */
export async function moveGuests(writing: Writing, gateway: string, to: string): Promise<void> {
  for (const hosting of await writing.read.find('hosting', { gateway, state: ['offered', 'accepted'] })) {
    const stays = hosting.state === 'accepted' && hosting.guest !== to
    await writing.put('hosting', { ...hosting, org: to, ...(stays ? {} : { state: 'ended' as const }) })
  }
}
