/** Largest message on the link, bytes; brokers that operators run refuse more. */
export const LINK_PAYLOAD_BYTES_MAX = 60 * 1024
/** Readings in one batch. */
export const BATCH_READINGS_MAX = 8000
/** Usage records in one batch. */
export const BATCH_RECORDS_MAX = 512
