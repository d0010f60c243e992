#!/usr/bin/env node
/**
 * The command `sotto`: hands over to @sotto/cli.
 *
 * Syntax that Node 20 reads, because that may be what the PATH offers; anything older than 22.19 starts the Node that
 * the project or the host has installed as the npm package `node`, and stands aside.
 */
const oldest = [22, 19]
const guard = "SOTTO_STARTED_BY_OLD_NODE"

const isOld = (version) => {
  const [major, minor] = version.split(".").map(Number)
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1])
}

const fail = (sentence) => {
  process.stderr.write("sotto: " + sentence + "\n")
  process.exitCode = 1
}

/** The npm package `node`, as seen from here and then from the current folder. */
const findNode = async () => {
  const { createRequire } = await import("node:module")
  const { existsSync } = await import("node:fs")
  const { dirname, join } = await import("node:path")
  const program = process.platform === "win32" ? "node.exe" : "node"
  for (const from of [import.meta.url, join(process.cwd(), "sotto.js")]) {
    try {
      return createRequire(from).resolve("node/bin/" + program)
    } catch {
      // Not installed there.
    }
  }
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", ".bin", program)
    if (existsSync(path)) return path
    if (dirname(folder) === folder) return undefined
  }
}

const restart = async () => {
  const node = process.env[guard] === undefined ? await findNode() : undefined
  if (node === undefined) {
    fail(
      "needs Node " +
        oldest.join(".") +
        " or newer and this is " +
        process.versions.node +
        ". Install one, or run npm install node@24 here."
    )
    return
  }
  const { spawn } = await import("node:child_process")
  const { fileURLToPath } = await import("node:url")
  const child = spawn(node, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, [guard]: process.versions.node }
  })
  // A terminal sends Ctrl-C to both processes; passing it on as well would look like a second, impatient one.
  const onTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY)
  const forwards = new Map(
    ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => [
      signal,
      () => {
        if (signal !== "SIGINT" || !onTerminal) child.kill(signal)
      }
    ])
  )
  for (const [signal, forward] of forwards) process.on(signal, forward)
  child.on("error", (error) => fail("could not start " + node + ": " + error.message + "."))
  child.on("exit", (code, signal) => {
    for (const [name, forward] of forwards) process.off(name, forward)
    if (signal === null) process.exitCode = code
    else process.kill(process.pid, signal)
  })
}

const start = async () => {
  delete process.env[guard]
  let cli
  try {
    cli = await import("@sotto/cli")
  } catch (error) {
    const missing = /^Cannot find module '([^']+)'/.exec(error instanceof Error ? error.message : "")
    const unbuilt = missing !== null && /[\\/]dist[\\/]/.test(missing[1])
    if (!unbuilt) throw error
    fail("this checkout is not built yet. Run npm run build in it, then try again.")
    return
  }
  process.exitCode = await cli.main(process.argv.slice(2))
}

await (isOld(process.versions.node) ? restart() : start())
