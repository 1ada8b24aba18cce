/** Every error code of the agent with its hint; docs/errors.md explains each, a test compares. */
export const AGENT_ERRORS = {
  CONFIG_INVALID: 'Correct the lines named above; the last good configuration keeps running.',
  CONFIG_UNREADABLE: 'Check the path and the permissions of the file.',
  FILE_UNREADABLE: 'Check the path and the permissions of the file.',
  CDR_INVALID:
    "Say in the carrier's profile what the columns are called, and how it writes dates and numbers.",
  CARRIER_PROFILE_INVALID: 'docs/reconcile.md tells what a profile holds.',
  STORE_NEWER: 'Install the version that wrote this database, or a newer one.',
  STORE_UNSAFE: 'The database is not in synchronous=FULL; this is a fault of the build, please report it.',
  STORE_FULL: 'Free space on the disk, or lower retention; usage is kept in any case.',
  STORE_FAILED:
    'The disk or the file system failed; the file is checked at the next start. See the log for the cause.',
  STORE_LOCKED: 'Another headgate gateway runs on this data folder.',
  STORE_UNUSABLE: 'Give a folder that this user may write to.',
  GATEWAY_NOT_ALLOWED: 'Ask as the user that runs the gateway, or as root.',
  GATEWAY_ANSWER_UNKNOWN:
    'The gateway and this command may be of different versions, or the gateway is just stopping; see its log.',
  PROFILE_NOT_FOUND: 'Give a .yaml file, or the name of a shipped profile such as example-tilt/1.',
  PORT_TAKEN: 'Choose another port, or end the program that holds it.',
  CLOUD_UNREACHABLE: 'Check --url, the network, and that the cloud runs.',
  CLOUD_ANSWER_UNKNOWN: 'Check that --url names a headgate cloud and not a proxy or another service.',
  CONSOLE_UNAUTHORISED: 'Log in as `organisation:name` with the key of that name.',
  CONSOLE_NOT_ALLOWED: 'Ask an administrator of the organisation; `headgate why` tells what is missing.',
  CONSOLE_NOT_FOUND: 'See docs/configuration.md, Console, for what there is.',
  CONSOLE_REQUEST_INVALID: 'Correct what is named and ask again.',
  CONSOLE_TOO_LARGE: 'Send less at once.',
  CONSOLE_TOO_MANY: 'Wait as long as `Retry-After` says, or a minute.',
  CONSOLE_NO_POLICY: 'The gateway needs its first policy: over the link, or by POST /v1/policy.',
  CHANGE_REFUSED: '`headgate why` tells who may; what is for the cloud alone is done there.',
  CLAIM_REFUSED:
    'Check label and ticket: that it names this gateway, and that nobody has claimed it; the log of the gateway says why.',
  CLAIM_LOCKED: 'Wait, then read the label again; a restart does not shorten it.',
  USAGE: 'See `headgate --help`.',
  POLICY_REFUSED: 'docs/contract.md, Policy, says what each refusal means and what helps.',
  GATEWAY_NOT_RUNNING: 'Start it with `headgate gateway --config FILE`.',
  INTERNAL: 'This is a fault of headgate; please report it with the log.',
} as const
export type AgentErrorCode = keyof typeof AGENT_ERRORS

/** A failure of the agent; prints as `CODE: sentence. hint`. */
export class AgentError extends Error {
  readonly code: AgentErrorCode
  readonly hint: string
  constructor(code: AgentErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.name = 'AgentError'
    this.code = code
    this.hint = AGENT_ERRORS[code]
  }
}
