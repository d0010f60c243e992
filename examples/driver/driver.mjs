/**
 * Runs a command as a launched run and reports it: node driver.mjs spark-submit job.py
 *
 * LAUNCHER_URL, JOB_ID and REPORT_TOKEN come from whoever launched it; nothing but HTTP is needed.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { hostname } from "node:os"
import { setTimeout } from "node:timers/promises"

const { LAUNCHER_URL, JOB_ID, REPORT_TOKEN, HEARTBEAT_MS = "10000" } = process.env
const [command, ...args] = process.argv.slice(2)

/** Says where the run is, and learns where the launcher has it. What was not answered is said again. */
const report = async (state, fields = {}) => {
  for (let pause = 500; ; pause = Math.min(2 * pause, 30_000)) {
    const answer = await fetch(`${LAUNCHER_URL}/job-launcher/launcher/status`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-report-token": REPORT_TOKEN },
      body: JSON.stringify({ state, jobId: JOB_ID, hostname: hostname(), ...fields })
    }).catch(() => undefined)
    const status = await answer?.json().catch(() => undefined)
    if (answer?.ok || answer?.status === 409) return status.state
    if (answer?.status >= 400 && answer.status < 500 && answer.status !== 429) throw new Error(status?.message)
    await setTimeout(pause)
  }
}

await report("starting")
let state = await report("running", { startTime: new Date().toISOString() })
if (state === "running") {
  const work = spawn(command, args, { stdio: "inherit" })
  const timer = setInterval(async () => {
    state = await report("running")
    if (state !== "running") work.kill()
  }, Number(HEARTBEAT_MS))
  const [code, signal] = await once(work, "exit")
  clearInterval(timer)
  const endTime = new Date().toISOString()
  if (state === "cancelling") await report("cancelled", { endTime })
  else if (code === 0) await report("finished", { endTime, result: { state: "finished" } })
  else
    await report("error", { endTime, result: { exception: { message: `${command} ended with ${code ?? signal}.` } } })
} else if (state === "cancelling") await report("cancelled")
