/** Objects on this machine: `folder` is where a bucket lies, `prefix` the beginning of the keys below it. */
export interface Location {
  readonly folder: string
  readonly prefix: string
  /** Only the one object whose key is `prefix`, not all that begin with it. */
  readonly exact: boolean
}
