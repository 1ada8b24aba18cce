/** The part of a logger that the broker uses; pino fits. */
export interface BrokerLog {
  info(detail: object, message: string): void
  warn(detail: object, message: string): void
  error(detail: object, message: string): void
}
