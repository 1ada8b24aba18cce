import type { Command } from 'commander'
import type { Answer } from './output.ts'

export type Does = (
  command: Command,
  load: () => Promise<(options: never, args: readonly string[]) => Promise<Answer>>,
) => Command

const THING = ['<thing>', 'gateway, DEVICE, DEVICE/SENSOR, workspace:ID, item:ID or org:ID'] as const

/** Commands about who may do what, asked of the running gateway. */
export function accessCommands(program: Command, does: Does): void {
  const asks = (name: string, what: string): Command =>
    program
      .command(name)
      .description(what)
      .option('--config <file>', 'gateway.yaml of the running gateway')
      .option(
        '--data <dir>',
        'its data folder; default: from --config, else HEADGATE_DATA, else /var/lib/headgate',
      )
      .option('--as <org:name>', 'in whose name; default: whoever runs this machine, who sees everything')
      .option('--key-file <file>', 'file with the key for --as; default: environment HEADGATE_KEY')
  const RIGHT = ['<right>', 'such as data.read or device.operate'] as const

  does(asks('members', 'who is a member of which organisation here'), async () => {
    return (await import('./access.ts')).members
  })
  does(asks('shares', 'what is shown to whom here'), async () => (await import('./access.ts')).shares)
  does(
    asks('who-can', 'everybody who may do something to a thing, and by what')
      .argument(...RIGHT)
      .argument(...THING)
      .addHelpText('after', '\nExample:\n  $ headgate who-can data.read tilt-1/main\n'),
    async () => (await import('./access.ts')).whoCan,
  )
  does(
    asks('why', 'why somebody may do something, or why not; exit code 1 where not')
      .argument('<who>', 'organisation:name')
      .argument(...RIGHT)
      .argument(...THING)
      .addHelpText('after', '\nExample:\n  $ headgate why acme:ana device.operate valve-1\n'),
    async () => (await import('./access.ts')).why,
  )

  changeCommands(asks, does)
}

/** Changes on site, each in the name of a member. */
function changeCommands(asks: (name: string, what: string) => Command, does: Does): void {
  const WHOM = ['<whom>', 'ORG (everybody there), ORG:NAME or ORG:@TEAM'] as const
  const KEY = ['<who>', 'organisation:name'] as const
  does(
    asks('share', 'show a thing of this gateway to somebody, for viewing, for 72 h of running time at most')
      .argument(...THING)
      .argument(...WHOM)
      .addHelpText(
        'after',
        '\nExample:\n  $ headgate share tilt-1 borealis --as acme:ana --key-file ana.key\n',
      ),
    async () => (await import('./access.ts')).share,
  )
  does(
    asks('revoke', 'end a share, at once and for good')
      .argument(...THING)
      .argument(...WHOM),
    async () => (await import('./access.ts')).revoke,
  )
  does(asks('leave', 'leave the organisation of --as'), async () => (await import('./access.ts')).leave)
  does(
    asks('remove', 'let a member of an organisation do nothing at this gateway any more').argument(...KEY),
    async () => (await import('./access.ts')).remove,
  )
  does(
    asks(
      'suspend',
      'suspend a member at this gateway: nothing is lost and nothing allowed here until the cloud lifts it',
    ).argument(...KEY),
    async () => (await import('./access.ts')).suspend,
  )
  does(
    asks('opt-out', 'no more mails to you about the gateway or a device')
      .argument(...THING)
      .argument('[alert]', 'offline, low-battery or all', 'all'),
    async () => (await import('./access.ts')).optOut,
  )
  does(
    asks('block', 'block a key: nobody logs in with it at this gateway any more').argument(...KEY),
    async () => (await import('./access.ts')).block,
  )
}
