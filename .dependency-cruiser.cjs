/**
 * Who may import whom. `scripts/imports.json` says it per package; below it is what holds inside core, between the
 * public side and the inside of packages, and everywhere.
 */
const imports = require("./scripts/imports.json")

const quoted = (text) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&")

/** Modules of npm packages, however deep npm has put them. */
const npm = (names) => names.map((name) => `node_modules/${quoted(name)}/`)

const perPackage = Object.entries(imports).flatMap(([folder, allowed]) => {
  const own = `^packages/${folder}/`
  const workspace = allowed.workspace.map((other) => `^packages/${other}/`)
  return [
    {
      name: `${folder}-imports`,
      comment: `packages/${folder} may import what scripts/imports.json lists and nothing else`,
      severity: "error",
      from: { path: `^packages/${folder}/src/` },
      to: { dependencyTypesNot: ["core"], pathNot: [`${own}src/`, ...workspace, ...npm(allowed.npm)] }
    },
    ...(allowed.node
      ? []
      : [
          {
            name: `${folder}-runs-anywhere`,
            comment: `packages/${folder} must run in a browser: no module of Node`,
            severity: "error",
            from: { path: `^packages/${folder}/src/` },
            to: { dependencyTypes: ["core"] }
          }
        ])
  ]
})

/** The areas of core that the threads of the data plane load. */
const light = "budget|noise|aggregation"

/** Modules of effect that core may use: the ones whose symbols are marked stable. */
const effectInCore = ["Context", "Cron", "Effect", "Layer", "Option", "Result", "Schema", "Scope", "Stream"]
const effectInPorts = ["Context", "Effect", "Option", "Schema", "Scope", "Stream"]
const effectModules = (names) => `node_modules/effect/dist/(${names.join("|")})\\.(js|d\\.ts)$`

const packages = Object.keys(imports)

module.exports = {
  forbidden: [
    ...perPackage,
    {
      name: "core-areas-are-light",
      comment: "budget, noise and aggregation import @noble/hashes and one another, never effect",
      severity: "error",
      from: { path: `^packages/core/src/(${light}|internal)/|^packages/core/src/[^/]+\\.ts$` },
      to: {
        pathNot: [
          `^packages/core/src/(${light}|internal)/`,
          "^packages/core/src/[^/]+\\.ts$",
          ...npm(["@noble/hashes"])
        ]
      }
    },
    {
      name: "core-machine-is-alone",
      comment: "the machine imports nothing",
      severity: "error",
      from: { path: "^packages/core/src/machine/" },
      to: { pathNot: "^packages/core/src/machine/" }
    },
    {
      name: "core-jobs-are-data",
      comment: "what decides about jobs imports the machine; only a kind has schemas",
      severity: "error",
      from: { path: "^packages/core/src/job/", pathNot: "^packages/core/src/job/Kind\\.ts$" },
      to: { pathNot: "^packages/core/src/(job|machine)/" }
    },
    {
      name: "core-effect-modules",
      comment: "core uses effect through sub-paths with stable symbols",
      severity: "error",
      from: { path: "^packages/core/src/", pathNot: "^packages/core/src/ports/" },
      to: { path: npm(["effect"]), pathNot: effectModules(effectInCore) }
    },
    {
      name: "core-ports-effect-modules",
      comment: "a port uses effect through few sub-paths, so that an adapter needs no more",
      severity: "error",
      from: { path: "^packages/core/src/ports/" },
      to: { path: npm(["effect"]), pathNot: effectModules(effectInPorts) }
    },
    {
      name: "testkit-laws-need-no-engine",
      comment: "whoever tries an adapter loads ports and laws; only the simulation runs the engine",
      severity: "error",
      from: { path: "^packages/testkit/src/", pathNot: "^packages/testkit/src/simulation/" },
      to: { path: "^packages/(engine|testkit/src/simulation)/" }
    },
    ...packages.map((folder) => ({
      name: `${folder}-is-sealed`,
      comment: `the inside of packages/${folder} is its own`,
      severity: "error",
      from: { path: "^(packages|scripts|bench|examples)/", pathNot: [`^packages/${folder}/`, "^packages/[^/]+/test/"] },
      to: { path: `^packages/${folder}/src/internal/` }
    })),
    {
      name: "across-packages-by-name",
      comment: "another package is imported by its name, never by a relative path",
      severity: "error",
      from: { path: "^packages/([^/]+)/src/" },
      to: { dependencyTypes: ["local"], path: "^packages/", pathNot: "^packages/$1/" }
    },
    {
      name: "no-tests-in-sources",
      comment: "what is published does not import tests, scripts or benchmarks",
      severity: "error",
      from: { path: "^packages/[^/]+/src/" },
      to: { path: "^(test|scripts|bench|examples)/|^packages/[^/]+/test/" }
    },
    {
      name: "no-cycles",
      comment: "modules form layers",
      severity: "error",
      from: {},
      to: { circular: true }
    },
    {
      name: "no-unresolved",
      comment: "an import that is not found is checked by no other rule",
      severity: "error",
      from: {},
      to: { couldNotResolve: true }
    }
  ],
  options: {
    // TypeScript 7 has no JavaScript API; without this the cruise reads no TypeScript and finds nothing to complain of.
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^packages/[^/]+/dist/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["@sotto/source", "import", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json"]
    }
  }
}
