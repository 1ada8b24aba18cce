import type { Command } from 'commander'
import type { Does } from './access-commands.ts'
import type { OperatorCall } from './operator-calls.ts'

/** `headgate cloud operator`: for whoever runs the cloud, on its machine. */
export function operatorCommands(cloud: Command, does: Does): void {
  const operator = cloud.command('operator').description('what whoever runs the cloud may do, on its machine')
  for (const [name, what, args, options] of COMMANDS) {
    const command = operator
      .command(name)
      .description(`${what}; --config FILE`)
      .option('--url <url>', 'address of the cloud; default: from --config (cloud.yaml)')
      .option('--token-file <file>', "file with the operator's token; default: from --config")
    for (const argument of args) command.argument(argument)
    for (const [flag, says] of options ?? []) command.option(flag, says)
    does(command, async () => (await import('./operator-calls.ts')).operatorCommand(name))
  }
}

type Row = readonly [
  name: OperatorCall,
  what: string,
  args: readonly string[],
  options?: readonly (readonly [flag: string, says: string])[],
]

const COMMANDS: readonly Row[] = [
  ['verify-log', 'check the policy log: every chain, and all that was signed of it', []],
  ['counts', 'what came in, was committed, refused, dropped', []],
  ['ledger', "a gateway's streams, registers and what was posted", ['<gateway>']],
  ['verify', "recompute a gateway's chains and registers from the stored bytes", ['<gateway>']],
  ['forks', 'epochs of gateways that wait for a word, see headgate ledger resolve', []],
  ['adopt', 'an epoch on hold is the true gateway’s', ['<gateway>', '<stream>', '<epoch>']],
  ['change', 'one change of the directory, from a file with JSON', ['<file>']],
  ['operators', 'operators of the platform', []],
  ['make-operator', 'make somebody an operator', ['<user>']],
  ['end-operator', 'end that', ['<user>']],
  ['feature', 'roll a feature out, or hold it back', ['<feature>', '<on|off>']],
  [
    'govern',
    'state, billing and limits of an organisation',
    ['<organisation>'],
    [
      ['--state <state>', 'active or suspended'],
      ['--billing <how>', 'inApp or external'],
      ['--billing-zone <zone>', 'where its days and months begin, from the next month on'],
      ['--quotas <json>', 'limits by service, e.g. {"sensors":50}'],
    ],
  ],
  [
    'grant-add-on',
    'add to a limit what a workspace has bought',
    ['<organisation>', '<workspace>', '<name>', '<service>', '<amount>'],
  ],
  ['end-add-on', 'end that', ['<organisation>', '<workspace>', '<add-on>']],
  ['billing-terms', 'how an organisation is billed, from a file with JSON', ['<organisation>', '<file>']],
  ['statement', 'what an organisation owes for a month', ['<organisation>', '<month>']],
  ['invoices', 'the invoices of an organisation', ['<organisation>']],
  ['close-months', 'close the months that are due', ['<organisation>']],
  ['meter-events', 'give the usage of a month to the payment provider', ['<organisation>', '<month>']],
  ['sent-meter-events', 'how the events of a month stand', ['<organisation>', '<month>']],
  [
    'decide-meter-event',
    'say whether the provider has an event that is unsure: yes or no',
    ['<organisation>', '<identifier>', '<there>'],
  ],
  [
    'refund',
    'give money of a payment back: all that is left of it, or a part',
    ['<organisation>', '<payment>'],
    [
      ['--reason <text>', 'why; the payment history shows it'],
      ['--amount <amount>', 'such as 9.00; default: all that is left'],
      ['--debt <what>', 'waived (default), or stands: the customer owes it again'],
    ],
  ],
  ['accounts', 'the double entry, account by account', []],
  ['purchase', 'land a purchase, from a file with JSON', ['<file>']],
  [
    'migrate',
    'move a customer here, from a file with JSON',
    ['<file>'],
    [['--rehearse', 'say what it would make, without doing it']],
  ],
  ['set-email', 'the true address of somebody who came without one', ['<user>', '<address>']],
  ['register', 'register a gateway for an organisation', ['<organisation>', '<gateway>', '<public-key>']],
]
