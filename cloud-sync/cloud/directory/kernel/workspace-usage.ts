/** One meter of one gateway in a month. */
export interface MeteredUse {
  readonly workspace: string
  readonly gateway: string
  readonly meter: string
  readonly quantity: bigint
}

/** What the directory asks the ledger. */
export interface WorkspaceUsage {
  /** What workspaces of an organisation used in a month (`YYYY-MM`), of what somebody is billed for. */
  ofMonth(asked: {
    readonly org: string
    readonly month: string
    /** Absent = all. */
    readonly meters?: readonly string[]
  }): Promise<MeteredUse[]>
  /** SIM cards with which these gateways were ever on air for the organisation. */
  simCards(asked: { readonly org: string; readonly gateways: readonly string[] }): Promise<string[]>
}
