import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** One configuration for both suites: `--mode slow` selects `*.slow.test.ts`, everything else is the fast suite. */
export default defineConfig(({ mode }) => ({
  ssr: { resolve: { conditions: ["@sotto/source", "module", "node", "import", "default"] } },
  test: {
    include:
      mode === "slow"
        ? ["packages/*/test/**/*.slow.test.ts", "test/**/*.slow.test.ts"]
        : ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    exclude: mode === "slow" ? ["**/node_modules/**"] : ["**/node_modules/**", "**/*.slow.test.ts"],
    pool: "forks",
    execArgv: ["--conditions=@sotto/source"],
    setupFiles: [fileURLToPath(new URL("./test/support/Seed.ts", import.meta.url))],
    reporters: ["default", "./test/support/CountsReporter.ts"],
    testTimeout: mode === "slow" ? 300_000 : 30_000
  }
}))
