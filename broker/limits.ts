/** A connection that has not sent its CONNECT by then is closed. */
export const CONNECT_TIMEOUT_MS = 5_000
/** Largest CONNECT, bytes after its fixed header: everything before the login is a stranger's. */
export const CONNECT_BYTES_MAX = 16 * 1024
/** Largest other packet, bytes after its fixed header; four times the largest payload of the link. */
export const PACKET_BYTES_MAX = 256 * 1024
/** Connections at one time, all listeners together. */
export const CONNECTIONS_MAX = 1_000
/** Bytes waiting for all connections together; beyond it the subscriber furthest behind is closed. */
export const BACKLOG_BYTES_MAX = 32 * 1024 * 1024
/** A connection with less waiting for it is not looked at: all of them together stay within what a gateway has. */
export const BACKLOG_NOTED_BYTES = 32 * 1024
/** A write that has not drained by then closes its connection; the backlog limit is met long before: nobody waits for another. */
export const DRAIN_TIMEOUT_MS = 5_000
export const CLIENT_ID_LENGTH_MAX = 128
export const TOPIC_LENGTH_MAX = 512
export const TOPIC_LEVELS_MAX = 16
/** Filters of one connection. */
export const SUBSCRIPTIONS_MAX = 256
/** Stored sessions without a connection, of one principal; beyond it the longest gone is forgotten. */
export const ABSENT_SESSIONS_MAX = 64
/** Packets waiting in one stored session; beyond it the oldest go, counted. */
export const QUEUE_PACKETS_MAX = 1_000
/** Payload bytes waiting in one stored session; beyond it the oldest packets go, counted. */
export const QUEUE_BYTES_MAX = 4 * 1024 * 1024
/** Topics with a retained message. */
export const RETAINED_TOPICS_MAX = 50_000
