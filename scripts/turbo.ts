/** Runs turbo over the workspaces without telemetry, under the project's Node: `scripts/turbo.ts run build`. */
import { run } from "./support/Project.ts"

const { code } = await run("turbo", process.argv.slice(2), { stdio: "inherit" })
process.exitCode = code
