import type { Command } from 'commander'
import type { Does } from './access-commands.ts'

/** Commands about the policy of the running gateway. */
export function policyCommands(program: Command, does: Does): void {
  const policy = program
    .command('policy')
    .description("the running gateway's policy, also by other ways than the link")
  const asks = (name: string, what: string): Command =>
    policy
      .command(name)
      .description(what)
      .option('--config <file>', 'gateway.yaml of the running gateway')
      .option(
        '--data <dir>',
        'its data folder; default: from --config, else HEADGATE_DATA, else /var/lib/headgate',
      )
  does(
    asks('apply', 'hand over a policy that came by another way').argument('<file>', 'as the cloud signed it'),
    async () => (await import('./policy.ts')).apply,
  )
  does(
    asks('show', 'what is in force, how old it is, and what was refused').option(
      '--export <file>',
      'write it as it was signed',
    ),
    async () => (await import('./policy.ts')).show,
  )
}
