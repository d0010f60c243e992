/** Of all packages: they are published together. */
export const VERSION = "0.1.0"
