import type { Command } from 'commander'
import type { Does } from './access-commands.ts'

/** `headgate data`: what went over the modem. */
export function dataCommands(program: Command, does: Does): void {
  const data = program.command('data').description('what went over the modem')
  does(
    data
      .command('top')
      .description('who uses how much of it, the most first')
      .option('--config <file>', 'gateway.yaml of the running gateway')
      .option('--data <dir>', 'its data folder; default: environment HEADGATE_DATA, else /var/lib/headgate'),
    async () => (await import('./data.ts')).dataTop,
  )
}
