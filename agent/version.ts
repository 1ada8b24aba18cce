/** Version of the software, in every usage record and answer. A test compares it with package.json. */
export const VERSION = '0.1.0'
