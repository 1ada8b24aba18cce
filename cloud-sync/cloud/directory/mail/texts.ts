import type { Message } from './port.ts'

/** All mails, in one place. Names of other people are quoted as data: a text never has markup. */
export const mails = {
  verify: (to: string, { user, url }: { user: string; url: string }): Message => ({
    to,
    subject: 'Confirm your address',
    body: `Open this address within two days to confirm that this mailbox belongs to the account ${user}, and that this account is yours:\n\n${url}\n\nIf you did not ask for it, do nothing.\n`,
  }),
  invitation: (to: string, { org, url, by }: { org: string; url: string; by: string }): Message => ({
    to,
    subject: `Invitation to ${org}`,
    body: `${by} invites you to ${org}. Sign in or sign up with this very address (${to}), then open within seven days:\n\n${url}\n`,
  }),
  reset: (to: string, { user, url }: { user: string; url: string }): Message => ({
    to,
    subject: 'Choose a new password',
    body: `Open this address within one hour to choose a new password for the account ${user}:\n\n${url}\n\nIf you did not ask for it, do nothing.\n`,
  }),
  addressChanged: (to: string, { user, address }: { user: string; address: string }): Message => ({
    to,
    subject: 'The address of your account has changed',
    body: `The account ${user} has the address ${address} from now on: invitations and new passwords go there and not here. If this was not you, turn to an administrator of your organisation at once.\n`,
  }),
  provisioned: (to: string, { org, url }: { org: string; url: string }): Message => ({
    to,
    subject: `Your organisation ${org} is ready`,
    body: `Your purchase has an organisation now: ${org}. Sign up or sign in with this very address (${to}), then open within seven days to become its owner:\n\n${url}\n`,
  }),
  tokenEnded: (to: string, { org, name }: { org: string; name: string }): Message => ({
    to,
    subject: `Your token ${name} of ${org} has ended`,
    body: `Somebody who is called ${name} has joined ${org}, and a login of that name is theirs. Your token ${name} opens nothing any more: make one with another name where you still need it.\n`,
  }),
  quota: (to: string, { what, where }: { what: string; where: string }): Message => ({
    to,
    subject: what,
    body: `${what}\n\n${where}\n\nAt 100 % its readings are still taken, stored and alarmed at the gateways, but wait there until the limit is raised or the next month begins in the organisation's billing zone. No other workspace is concerned.\n`,
  }),
  alert: (to: string, { what, where }: { what: string; where: string }): Message => ({
    to,
    subject: `Alert: ${what}`,
    body: `${what}\n\n${where}\n\nYou can switch off alerts of a device for yourself in its settings.\n`,
  }),
} as const
