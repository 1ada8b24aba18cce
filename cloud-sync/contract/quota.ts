import { z } from 'zod'
import { WorkspaceId } from './ids.ts'
import { Meter } from './usage.ts'

/**
 * What a workspace may use of one meter on one gateway in each calendar month, UTC: the gateway's share of the
 * workspace's limit, so that no gateway needs to ask. From `limit` on the workspace is over it.
 */
export const QuotaShare = z.strictObject({
  workspace: WorkspaceId,
  meter: Meter,
  period: z.literal('month'),
  limit: z.int().min(0),
})
export type QuotaShare = z.infer<typeof QuotaShare>
