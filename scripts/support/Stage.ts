/**
 * What the demos stand on: chapters, commands that are shown before they run, and servers that end with the demo.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { createWriteStream, existsSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import { root } from "./Project.ts"

const bin = join(root, "packages/sotto/bin/sotto.js")

export const say = (text = ""): void => void process.stdout.write(`${text}\n`)
/** What a command answered. */
export const tell = (text: string): void => say(text.trimEnd().replace(/^(?=.)/gm, "  "))
/** Ends the demo. */
export const fault = (text: string): never => {
  throw new Error(text)
}
export const secondsSince = (time: number): string => `${((performance.now() - time) / 1000).toFixed(1)} s`
export const number = (value: number | undefined): string => (value ?? 0).toLocaleString("en-US")

let chapters = 0
export const chapter = (title: string): void => {
  const text = `${++chapters}. ${title}`
  say(`\n${text}\n${"─".repeat(Math.min(100, text.length))}`)
}

/** The body of an answer that must be good. */
export const json = async <A>(response: Response): Promise<A> =>
  response.ok ? ((await response.json()) as A) : fault(`${response.status}: ${await response.text()}`)

export interface Server {
  readonly url: string
  /** Once its log says so. */
  readonly says: (text: string) => Promise<void>
  readonly kill: (signal: "TERM" | "KILL") => Promise<number | NodeJS.Signals | null>
}

const children = new Set<ChildProcess>()

/** Has a process killed when the demo ends before it. */
export const endWithDemo = <C extends ChildProcess>(child: C): C => {
  children.add(child)
  child.on("close", () => children.delete(child))
  return child
}

/** `sotto` in a folder that `SOTTO_DEMO` moves elsewhere. */
export const stageIn = (name: string) => {
  const folder = resolve(process.env["SOTTO_DEMO"] ?? join(root, name))
  const at = (...parts: ReadonlyArray<string>): string => join(folder, ...parts)

  const quote = (argument: string): string => (/^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument}'`)
  const shown = (args: ReadonlyArray<string>): string =>
    `$ sotto ${args.map((argument) => quote(argument.startsWith(`${folder}/`) ? relative(folder, argument) : argument)).join(" ")}`

  /** Runs `sotto`, shows what it prints, and stops the demo unless it ends well. */
  const sotto = (args: ReadonlyArray<string>, { quiet = false } = {}): string => {
    if (!quiet) say(shown(args))
    const run = spawnSync(process.execPath, [bin, ...args], { cwd: folder, encoding: "utf8", maxBuffer: 1 << 28 })
    if (!quiet || run.status !== 0) tell(`${run.stdout}${run.stderr}`)
    return run.status === 0 ? run.stdout : fault(`sotto ended with ${run.status ?? run.signal}`)
  }

  /** Starts `sotto serve` on a free port; its log goes to `server.log`. */
  const serve = async (env: Readonly<Record<string, string>> = {}): Promise<Server> => {
    const args = ["serve", "--config", at("sotto.json"), "--port", "0"]
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value} `)
    say(shown(args).replace("$ ", `$ ${variables.join("")}`))
    const child = endWithDemo(
      spawn(process.execPath, [bin, ...args], {
        cwd: folder,
        stdio: ["ignore", "ignore", "pipe"],
        env: { ...process.env, ...env }
      })
    )
    const log = createWriteStream(at("server.log"), { flags: "a" })
    let text = ""
    child.stderr.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      log.write(chunk)
    })
    const ended = new Promise<number | NodeJS.Signals | null>((done) =>
      child.on("close", (code, signal) => {
        log.end()
        done(code ?? signal)
      })
    )
    const says = (wanted: string) =>
      new Promise<void>((done, failed) => {
        const look = () => text.includes(wanted) && done()
        child.stderr.on("data", look)
        void ended.then((how) => failed(new Error(`the server ended (${how}): ${text}`)))
        look()
      })
    await says('"message":"Listening"')
    const listening = text.split("\n").find((line) => line.includes('"message":"Listening"')) ?? ""
    const { url } = JSON.parse(listening) as { readonly url: string }
    tell(`listens on ${url}, for this machine only, because no API keys were made; its log is in server.log`)
    return {
      url,
      says,
      kill: (signal) => {
        say(`$ kill -${signal} ${child.pid}`)
        child.kill(`SIG${signal}`)
        return ended
      }
    }
  }

  return { folder, at, sotto, serve }
}

const endChildren = (): void => {
  for (const child of children) child.kill("SIGKILL")
}

/** Plays a demo to its end; whatever the end is, no server is left behind. */
export const play = async (demo: () => Promise<void>): Promise<void> => {
  process.on("exit", endChildren)
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => process.exit(signal === "SIGINT" ? 130 : 143))
  }
  try {
    if (!existsSync(bin) || !existsSync(join(root, "packages/cli/dist"))) fault("Build first: npm run build")
    await demo()
  } catch (error) {
    say(`\nThe demo failed: ${(error as Error).message}`)
    endChildren()
    process.exitCode = 1
  }
}
