/** Whose a gateway is, as the cloud knows it. */
export const GATEWAY_STATES = ['unclaimed', 'claimed', 'releasing', 'disputed', 'decommissioned'] as const
export type GatewayState = (typeof GATEWAY_STATES)[number]

export interface Standing {
  readonly state: GatewayState
  /** Of the newest code that was made for it. */
  readonly generation: number
  /** The highest claim counter that was judged; 0 = none. */
  readonly counter: number
}

/** What a receipt says, as far as a verdict needs it. */
export interface Happened {
  readonly what: 'claimed' | 'released'
  readonly generation: number
  readonly counter: number
  /** Trusted time at the gateway, epoch ms; null = it had none. */
  readonly at: number | null
}

/** The ticket that a receipt names, as it stands when the receipt arrives. */
export interface TicketStanding {
  readonly state: 'live' | 'revoked'
  readonly from: number
  readonly until: number
  /** It names this gateway, or none. */
  readonly namesGateway: boolean
  /** Other gateways that were confirmed by it. */
  readonly usedElsewhere: number
  readonly maxUses: number
  /** Organisation and installer are the ticket's. */
  readonly isTheirs: boolean
  /** The installer is who they were when it was issued: a member, or a partner's through a link that lives. */
  readonly installerActive: boolean
  /** The organisation may still act. */
  readonly organisationActive: boolean
}

export const TICKET_OBJECTIONS = [
  'unknown-ticket',
  'other-ticket',
  'ticket-revoked',
  'other-serial',
  'used-up',
  'out-of-window',
  'installer-gone',
  'organisation-gone',
] as const
export type TicketObjection = (typeof TICKET_OBJECTIONS)[number]

export type Verdict =
  | { readonly is: 'confirmed' }
  | { readonly is: 'disputed'; readonly because: TicketObjection }
  /** Let go and nobody's. */
  | { readonly is: 'released' }
  /** It changes nothing: whose it is stays as it is. */
  | {
      readonly is: 'void'
      readonly because: 'owned' | 'disputed' | 'decommissioned' | 'other-code' | 'older' | 'not-releasing'
    }

/** A gateway without trusted time may bring its receipt so long after the ticket's end, ms. */
export const LATE_MS_MAX = 30 * 24 * 3_600_000

/**
 * What follows from a receipt, pure: the same facts give the same verdict, and nothing but a receipt of an unclaimed
 * gateway ever makes an owner. Who owns a gateway is not put out by anybody else's claim, whatever it rests on.
 */
export function judge(
  { state, generation, counter }: Standing,
  happened: Happened,
  { ticket, now }: { readonly ticket: TicketStanding | undefined; readonly now: number },
): Verdict {
  if (state === 'decommissioned') return { is: 'void', because: 'decommissioned' }
  if (happened.generation !== generation)
    return { is: 'void', because: state === 'claimed' ? 'owned' : 'other-code' }
  if (happened.what === 'released') {
    return state === 'releasing' ? { is: 'released' } : { is: 'void', because: 'not-releasing' }
  }
  if (happened.counter <= counter) return { is: 'void', because: 'older' }
  switch (state) {
    case 'claimed':
      return { is: 'void', because: 'owned' }
    case 'disputed':
      return { is: 'void', because: 'disputed' }
    case 'unclaimed':
    case 'releasing': {
      // Claimed by the new code: then it was let go before, also where that receipt is still on its way.
      const because = ticketObjection(ticket, happened, now)
      return because === undefined ? { is: 'confirmed' } : { is: 'disputed', because }
    }
  }
}

function ticketObjection(
  ticket: TicketStanding | undefined,
  { at }: Happened,
  now: number,
): TicketObjection | undefined {
  if (ticket === undefined) return 'unknown-ticket'
  if (!ticket.isTheirs) return 'other-ticket'
  if (ticket.state === 'revoked') return 'ticket-revoked'
  if (!ticket.namesGateway) return 'other-serial'
  if (ticket.usedElsewhere >= ticket.maxUses) return 'used-up'
  if (!isInWindow(ticket, at, now)) return 'out-of-window'
  if (!ticket.installerActive) return 'installer-gone'
  return ticket.organisationActive ? undefined : 'organisation-gone'
}

/** By the gateway's trusted time where it had one, else by when the word of it came. */
function isInWindow({ from, until }: TicketStanding, at: number | null, now: number): boolean {
  if (at !== null) return at >= from && at <= until
  return now >= from && now <= until + LATE_MS_MAX
}
