import { Command, CommanderError } from 'commander'
import { AgentError } from '../errors.ts'
import { VERSION } from '../version.ts'
import { accessCommands } from './access-commands.ts'
import { billCommands } from './bill-commands.ts'
import { claimCommands } from './claim-commands.ts'
import { dataCommands } from './data-commands.ts'
import { ledgerCommands } from './ledger-commands.ts'
import { operatorCommands } from './operator-commands.ts'
import { policyCommands } from './policy-commands.ts'
import { type Answer, processTerminal, runAnswer } from './output.ts'

interface Options {
  readonly json?: boolean
  readonly [name: string]: unknown
}

/**
 * Binds a command to the function that does it, imported only when it is called, so that `headgate gateway` loads
 * nothing of the others. Every command takes --json.
 */
function does(
  command: Command,
  load: () => Promise<(options: never, args: readonly string[]) => Promise<Answer>>,
): Command {
  return command.option('--json', 'one JSON value on standard output').action(async (...given: unknown[]) => {
    const called = given.at(-1) as Command
    const options: Options = called.optsWithGlobals()
    process.exitCode = await runAnswer(processTerminal, options.json === true, async () => {
      const act = await load()
      return act(options as never, called.args)
    })
  })
}

const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ headgate ${line}`).join('\n')}\n`

const program = new Command('headgate')
  .description(
    'Stands between sensors and the cloud: reads them, enforces who owns what, meters every byte, offline too.',
  )
  .version(VERSION)
  .exitOverride()
  // Wrong calls are told like all other errors, at the end of this file.
  .configureOutput({ outputError: () => undefined })
  .addHelpText(
    'after',
    examples(
      'demo --seconds 30                           see all of it work, with faults',
      'line scan /dev/ttyUSB0 --all-speeds         find out what is on a line',
      'init --dir site && headgate gateway --config site/gateway.yaml',
      'doctor --config site/gateway.yaml           what is missing on this machine',
    ).concat(
      '\nExit codes: 0 done, 1 did not work, 2 called wrongly. docs/cli-json.md tells what --json prints.',
    ),
  )

does(
  program
    .command('init')
    .description('write a configuration for a gateway that works without a cloud')
    .option('--dir <dir>', 'where to write gateway.yaml', '.')
    .option('--gateway <id>', 'serial number of the gateway', 'GW-1')
    .option('--organisation <id>', 'the organisation that owns it', 'home'),
  async () => (await import('./init.ts')).initGateway,
)

does(
  program
    .command('gateway')
    .description('run the gateway')
    .requiredOption('--config <file>', 'gateway.yaml')
    .option('--print-key', "print the gateway's public key, made at first start, and end"),
  async () => (await import('./gateway.ts')).runGateway,
)

const list = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]
does(
  program
    .command('broker')
    .description('run the broker alone, for any programs and topics')
    .option(
      '--listen <url>',
      'tcp://, tls://, ws:// or wss://HOST:PORT, or unix:/PATH; may be given again (default: tcp://127.0.0.1:1883)',
      list,
    )
    .option('--tls-cert <file>', 'PEM: certificate for tls:// and wss://; read again on SIGHUP')
    .option('--tls-key <file>', 'PEM: its key')
    .option('--tls-ca <file>', 'PEM: whose client certificates log in as the user of their common name')
    .option(
      '--origin <origin>',
      'web page that may use ws:// and wss://, https://HOST; may be given again',
      list,
    )
    .option('--open', 'let in whoever names no user')
    .option('--users <file>', 'YAML: users: [{ name, keyHash }], the SHA-256 of each key')
    .option('--deny-subscribe <filter>', 'refuse subscriptions of this very filter; may be given again', list)
    .option('--data <dir>', 'where sessions, queues and retained messages are kept')
    .option('--metrics <host:port>', 'serve GET /metrics there, for Prometheus')
    .option(
      '--limit <name=value>',
      'a bound as under broker.limits in docs/configuration.md, such as connections=50; may be given again',
      list,
    )
    .addHelpText(
      'after',
      examples('broker --open --data broker-data', 'broker --users users.yaml --metrics 127.0.0.1:9101'),
    ),
  async () => (await import('./broker.ts')).runBroker,
)

const cloud = does(
  program
    .command('cloud')
    .description('run the cloud, or ask one')
    .option('--config <file>', 'cloud.yaml')
    .option('--print-trust', 'print the root public key for `cloud.trust` of gateways, and end'),
  async () => (await import('./cloud.ts')).runCloud,
)
const keys = cloud.command('keys').description('the keys that sign for this cloud')
const aboutKeys = (name: string, what: string): Command =>
  // `--config` is the cloud's own option, which is taken wherever it stands.
  keys.command(name).description(`${what}; --config FILE`)
const withRoot = (name: string, what: string): Command =>
  aboutKeys(name, what).option('--root <file>', 'the root key, where it is not in the data folder')
does(
  aboutKeys('show', 'what signs for this cloud'),
  async () => (await import('./cloud-keys.ts')).showCloudKeys,
)
does(withRoot('rotate', 'a new key signs from now on; the others are still believed'), async () =>
  (await import('./cloud-keys.ts')).changeCloudKeys('rotate'),
)
does(withRoot('add', 'a further key that is believed'), async () =>
  (await import('./cloud-keys.ts')).changeCloudKeys('add'),
)
does(
  withRoot(
    'generation',
    'after the cloud came back from an old backup: what it says now is newer than all before',
  ),
  async () => (await import('./cloud-keys.ts')).changeCloudKeys('generation'),
)
does(
  withRoot('retire', 'a key that is believed no more').argument('<key>', 'key id, as `keys show` says it'),
  async () => (await import('./cloud-keys.ts')).retireCloudKey,
)
does(
  aboutKeys('request', 'a new key, and a request for the root key elsewhere').requiredOption('--to <file>'),
  async () => (await import('./cloud-keys.ts')).requestCloudKeys,
)
does(
  keys
    .command('sign')
    .description('sign a request, where the root key is')
    .argument('<request>')
    .requiredOption('--root <file>', 'the root key')
    .requiredOption('--to <file>', 'the keyset for `keys install`'),
  async () => (await import('./cloud-keys.ts')).signCloudKeys,
)
does(
  aboutKeys('install', 'use a keyset that the root key signed elsewhere').argument('<file>'),
  async () => (await import('./cloud-keys.ts')).installCloudKeys,
)
does(
  aboutKeys('export-root', 'take the root key out of the data folder').requiredOption('--to <file>'),
  async () => (await import('./cloud-keys.ts')).exportCloudRoot,
)
const asksCloud = (name: string, what: string): Command =>
  cloud
    .command(name)
    .description(what)
    .requiredOption('--url <url>', 'address of the cloud, e.g. http://127.0.0.1:8090')
    .requiredOption('--login <org:name>', 'name of an API key')
    .option('--key-file <file>', 'file with the key; default: environment HEADGATE_KEY')
    .option('--device <id>', 'only this device')
    .option('--sensor <name>', 'only this sensor')
does(
  asksCloud('readings', 'readings kept in the cloud, oldest first')
    .option('--gateway <id>', 'only this gateway')
    .option('--channel <name>', 'only this channel')
    .option('--from <time>', 'ISO 8601 time or epoch milliseconds')
    .option('--to <time>', 'ISO 8601 time or epoch milliseconds')
    .option('--limit <n>', 'at most so many', '100')
    .option('--cursor <cursor>', 'go on where an earlier call ended')
    .addHelpText(
      'after',
      examples(
        'cloud readings --url https://cloud.example --login acme:ana --key-file ana.key --device tilt-1',
      ),
    ),
  async () => (await import('./cloud-query.ts')).cloudReadings,
)
does(
  asksCloud('usage', 'posted usage by sensor and day; for owners and admins')
    .option('--from <day>', 'first day, as 2026-01-31')
    .option('--to <day>', 'last day'),
  async () => (await import('./cloud-query.ts')).cloudUsage,
)

does(
  program
    .command('demo')
    .description('everything on this machine: simulated wire and sensors, gateway, cloud, faults')
    .option('--seconds <n>', 'how long it takes readings', '60')
    .option('--real <tty>', 'a real serial port instead of the simulated wire (with --profile)')
    .option('--profile <file>', 'profile of the device at the real port')
    .option('--address <n>', 'address of the device at the real port', '1')
    .option('--no-faults', 'no unplugs, kills and cuts')
    .option('--keep <dir>', 'work in this folder and keep it'),
  async () => (await import('./demo/demo.ts')).runDemo,
)

for (const [name, what] of [
  ['status', 'what the running gateway does'],
  ['sensors', 'every sensor with its last values'],
  ['usage', 'what was metered, by sensor and organisation'],
] as const) {
  does(
    program
      .command(name)
      .description(what)
      .option('--config <file>', 'gateway.yaml of the running gateway')
      .option(
        '--data <dir>',
        'its data folder; default: from --config, else HEADGATE_DATA, else /var/lib/headgate',
      ),
    async () => (await import('./query.ts'))[name],
  )
}

accessCommands(program, does)
billCommands(cloud, does)
claimCommands(program, cloud, does)
operatorCommands(cloud, does)
policyCommands(program, does)

dataCommands(program, does)
ledgerCommands(program, does)

const line = program.command('line').description('look at a serial line (the gateway must not be using it)')
const onLine = (name: string, what: string): Command =>
  line.command(name).description(what).argument('<port>', 'device path, or tcp:HOST:PORT')
does(
  onLine('scan', 'find Modbus devices')
    .option('--baud <n>', 'bits a second', '9600')
    .option('--format <8N1>', 'data bits, parity, stop bits', '8N1')
    .option('--all-speeds', 'try the usual speeds and formats too')
    .option('--first <n>', 'first address', '1')
    .option('--last <n>', 'last address', '32')
    .option('--profile <file>', 'a profile of your own to know devices by, besides the shipped ones')
    .option('--ascii', 'ask in Modbus ASCII')
    .addHelpText('after', examples('line scan /dev/ttyUSB0 --last 247', 'line scan tcp:192.0.2.10:4001')),
  async () => (await import('./line.ts')).scan,
)
does(
  onLine('sniff', 'show what others say, without sending')
    .option('--baud <n>', 'bits a second', '9600')
    .option('--format <8N1>', 'data bits, parity, stop bits', '8N1')
    .option('--seconds <n>', 'how long', '10'),
  async () => (await import('./line.ts')).sniff,
)
does(
  onLine('try', 'poll one device once and show the bytes')
    .requiredOption('--profile <file>', 'a profile file or the name of a shipped one')
    .option('--baud <n>', "bits a second; default: the profile's")
    .option('--format <8N1>', "data bits, parity, stop bits; default: the profile's")
    .option('--address <n>', 'address on the bus', '1')
    .addHelpText('after', examples('line try /dev/ttyUSB0 --profile geokon-3810a/1 --address 5')),
  async () => (await import('./line.ts')).tryOnce,
)

const profile = program.command('profile').description('work on a sensor profile')
const PROFILE = ['<profile>', 'a .yaml file, or the name of a shipped one such as example-tilt/1'] as const
does(
  profile
    .command('check')
    .description('check a profile and run its examples')
    .argument(...PROFILE),
  async () => (await import('./profile.ts')).check,
)
does(
  profile
    .command('sim')
    .description('simulate a device from its profile')
    .argument(...PROFILE)
    .option('--pty <path>', 'appear as this serial device (needs socat)')
    .option('--tcp <port>', 'listen on this loopback port instead; 0 = a free one', '0')
    .option('--address <n>', 'address on the bus', '1')
    .addHelpText(
      'after',
      examples(
        'profile sim example-tilt/1 --pty /tmp/tilt &',
        'line scan /tmp/tilt --baud 19200 --format 8E1',
      ),
    ),
  async () => (await import('./profile.ts')).simulate,
)

does(
  program
    .command('doctor')
    .description('check what a gateway needs here, and say what to do')
    .option('--config <file>', 'gateway.yaml, checked too'),
  async () => (await import('./doctor.ts')).doctor,
)

// Nobody reads on (`headgate usage | head`): what is said is lost, what is done goes on.
process.stdout.on('error', () => undefined)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : await misused(error)
}

/** A group without a command has shown its help on standard error already. */
function misused(error: CommanderError): Promise<0 | 1 | 2> {
  const json = process.argv.includes('--json')
  if (error.code === 'commander.help' && !json) return Promise.resolve(2)
  const sentence = error.code === 'commander.help' ? 'a command is missing' : error.message
  return runAnswer(processTerminal, json, () =>
    Promise.reject(new AgentError('USAGE', sentence.replace(/^error: /, ''))),
  )
}
