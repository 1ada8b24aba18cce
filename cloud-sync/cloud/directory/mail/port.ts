/** One mail, plain text. */
export interface Message {
  readonly to: string
  readonly subject: string
  readonly body: string
}

/** What carries mails; throws where one was not taken over. */
export interface MailPort {
  send(message: Message & { readonly id: string }): Promise<void>
}
