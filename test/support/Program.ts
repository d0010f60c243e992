import { accessSync, constants, statSync } from "node:fs"
import { delimiter, join } from "node:path"
import { it, type TestContext } from "vitest"

/** Every executable file of this name on the PATH, in the PATH's order. */
export const programs = (name: string): ReadonlyArray<string> =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, name))
    .filter(isExecutable)

/** The first executable file of this name on the PATH, or `undefined`. */
export const program = (name: string): string | undefined => programs(name)[0]

type Found<Needs> = { readonly [Name in keyof Needs]: NonNullable<Needs[Name]> }

/**
 * `it` for a test that needs something the machine may lack.
 *
 * `needs` maps the name of each thing to what was found of it. If one is `undefined` the test is skipped with the
 * note `no <name>`, which the reporter prints as `SKIPPED (no <name>): <file> > <test>`; otherwise the test gets all
 * of them.
 *
 * ```ts
 * itWith({ openssl: program("openssl") })("agrees with openssl", ({ openssl }) => { … })
 * ```
 */
export const itWith =
  <Needs extends Readonly<Record<string, unknown>>>(needs: Needs) =>
  (name: string, test: (found: Found<Needs>, context: TestContext) => unknown, timeout?: number): void => {
    const missing = Object.keys(needs).find((need) => needs[need] === undefined)
    it(
      name,
      async (context) => {
        if (missing !== undefined) context.skip(`no ${missing}`)
        await test(needs as Found<Needs>, context)
      },
      timeout
    )
  }

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
