/** From the first byte of TCP to the end of the TLS handshake and the WebSocket upgrade together. */
export const HANDSHAKE_MS_MAX = 5_000
/** Handshakes of one listener at one time: one costs up to 100 kB. Beyond it the one that has taken longest goes. */
export const HANDSHAKES_MAX = 256
/** All headers of an upgrade together. */
export const UPGRADE_HEADER_BYTES_MAX = 8 * 1024
/** Bytes of an unfinished WebSocket message that are held for somebody the broker has not answered yet. */
export const STRANGER_MESSAGE_BYTES_MAX = 32 * 1024
/** Largest WebSocket message; it may hold many packets and has nothing to do with the largest packet. */
export const MESSAGE_BYTES_MAX = 1024 * 1024
/** Frames of one WebSocket message. */
export const MESSAGE_FRAMES_MAX = 256
/** Pieces in which a WebSocket message may come from the network: each costs more than its bytes. */
export const MESSAGE_CHUNKS_MAX = 4_096
/** Pongs that may wait for a peer that does not read. */
export const PONGS_WAITING_MAX = 8
/** How long a WebSocket that was closed may take to agree. */
export const CLOSE_MS_MAX = 2_000
/** Connections that the system may hold ready for us. */
export const BACKLOG_CONNECTIONS = 511
export const KEEP_ALIVE_DELAY_MS = 60_000
/** `sockaddr_un` has 108 bytes, the last of them NUL. */
export const SOCKET_PATH_BYTES_MAX = 107
/** Of each kind of refusal one line is logged in this time, with how many there were. */
export const REFUSAL_LOG_EVERY_MS = 10_000
export const CERTIFICATE_FILE_BYTES_MAX = 1024 * 1024
