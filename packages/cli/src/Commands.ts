/**
 * Every command with its flags, help and examples, and nothing else: the work behind a command is imported when it
 * runs, so that `sotto --help` starts at once. `docs/cli.md` is generated from here.
 */
import { Argument, type Command, InvalidArgumentError, Option } from "commander"

const whole =
  (least: number) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= least)) throw new InvalidArgumentError(`Write a whole number of at least ${least}.`)
    return value
  }

const decimal =
  (above: number, upTo: number) =>
  (text: string): number => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
    if (!(value > above && value <= upTo))
      throw new InvalidArgumentError(`Write a number above ${above} and up to ${upTo}.`)
    return value
  }

const examples = (...lines: ReadonlyArray<readonly [command: string, what: string]>): string =>
  `\nExamples:\n${lines.map(([command, what]) => `  # ${what}\n  $ ${command}`).join("\n")}`

const ledgerKeysOption = () =>
  new Option(
    "--ledger-keys <file>",
    "keys of the ledger, made by `sotto keys ledger` (default: ledger-keys.json beside the ledger)"
  )

const ledgerOption = () => new Option("--ledger <file>", "the budget ledger (SQLite); made when it does not exist")

const scopeOption = () =>
  new Option("--scope <name>", "the scope of the ledger: reports of one set of sites share a scope").default("default")

const asOfOption = () =>
  new Option(
    "--as-of <time>",
    "judge the age of reports at this time, e.g. 2024-01-31T10:00:00Z; names an old question again (default: now)"
  )

/** What says which reports are meant, shared by `aggregate` and `budget check`. */
const questionOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        "--input-data-avro-file <path>",
        "the reports: an Avro file, a folder, or a prefix of file names"
      ).makeOptionMandatory()
    )
    .option("--keys <file>", "the reports are encrypted: open them with these keys, made by `sotto keys generate`")
    .addOption(
      new Option("--filtering-ids <list>", "count contributions with these filtering ids, e.g. 0,5").default("0")
    )
    .addOption(
      new Option("--local-job-params-input-filtering-ids <list>", "the original's name of --filtering-ids").hideHelp()
    )
    .option("--reporting-site <site>", "accept reports of this site only, e.g. https://example.com")
    .option("--attribution-report-to <origin>", "accept reports of this origin only, e.g. https://adtech.example.com")
    .addOption(asOfOption())
    .option("--bound", "cut what one report contributes at 65,536, in payload order", false)

export const defineCommands = (root: Command): void => {
  root.addHelpText(
    "after",
    examples(
      ["sotto keys generate && sotto keys ledger", "keys.json to seal and open reports, ledger-keys.json for a ledger"],
      ["sotto reports generate --count 10000 --keys keys.json --out data", "reports to try it with"],
      [
        "sotto aggregate --keys keys.json --ledger ledger.db --input-data-avro-file data/reports.avro --domain-avro-file data/domain.avro --reporting-site https://example.com --output-directory out",
        "a noised summary in out/output.avro, paid for from ledger.db"
      ],
      ["sotto show out/output.avro --plot --sort metric --limit 20", "look at it"]
    )
  )
  questionOptions(root.command("aggregate"))
    .description("Aggregate local reports into a noised summary")
    .option("--domain-avro-file <path>", "the output domain: an Avro file, a folder, or a prefix of file names")
    .addOption(
      new Option(
        "--output-directory <folder>",
        "where the summary goes; made when it does not exist"
      ).makeOptionMandatory()
    )
    .addOption(
      new Option("--epsilon <number>", "ε of the noise, above 0 and up to 64, at most 6 decimals").default("10")
    )
    .option("--no-noising", "write exact sums (cleartext input or debug runs only)")
    .option("--json-output", "write output.json instead of output.avro", false)
    .option("--skip-domain", "print every key that the reports hold (cleartext input or debug runs only)", false)
    .option("--text-domain", "the domain is text: one key a line, its bytes are the bucket", false)
    .addOption(
      new Option("--domain-file-format <format>", "the original's way to say --text-domain")
        .choices(["AVRO", "TEXT_FILE"])
        .hideHelp()
    )
    .option("--debug-run", "count debug reports only, add exact sums and noise per key; not private", false)
    .addOption(
      new Option(
        "--error-threshold <percent>",
        "fail when more than this share of the reports has errors, 0 to 100"
      ).default("10")
    )
    .addOption(
      new Option("--report-error-threshold-percentage <percent>", "the original's name of --error-threshold").hideHelp()
    )
    .option("--input-report-count <n>", "how many reports are expected; lets a run with too many errors stop early")
    .addOption(
      new Option("--l1-sensitivity <n>", "the most that one report may contribute").argParser(whole(1)).default(65536)
    )
    .addOption(ledgerOption())
    .option("--no-ledger", "encrypted reports without a budget: fresh noise each time, files marked so")
    .addOption(ledgerKeysOption())
    .addOption(scopeOption())
    .addOption(
      new Option("--budget <charge>", "exclusive: a unit may be asked about once · shared: ε adds up to 64")
        .choices(["exclusive", "shared"])
        .default("exclusive")
    )
    .addOption(new Option("--lanes <n>", "threads that open reports (default: all cores)").argParser(whole(1)))
    .option("--json", "print the result as one JSON document", false)
    .addHelpText(
      "after",
      examples(
        [
          "sotto aggregate --input_data_avro_file reports.avro --domain_avro_file domain.avro --output_directory out --json_output --no_noising",
          "the original's local tool, flag by flag, on cleartext reports"
        ],
        [
          "sotto aggregate --keys keys.json --ledger ledger.db --input-data-avro-file reports/ --domain-avro-file domain.avro --reporting-site https://example.com --output-directory out",
          "encrypted reports under a privacy budget"
        ],
        [
          "sotto aggregate --keys keys.json --ledger ledger.db --budget shared --epsilon 5 --input-data-avro-file reports/ --domain-avro-file domain.avro --reporting-site https://example.com --output-directory out",
          "spend ε = 5 of the 64 that shared questions may spend"
        ]
      )
    )
    .action(async (options) => (await import("./commands/Aggregate.ts")).aggregate(options))

  const keys = root
    .command("keys")
    .description("Make key pairs and ledger keys")
    .addHelpText("after", examples(["sotto keys generate --help", "how to make a key pair for reports"]))
  keys
    .command("generate")
    .description("Make an X25519 key pair, or add one to a key file")
    .option("--out <file>", "the key file (mode 0600)", "keys.json")
    .option("--id <id>", "id of the new key (default: a random UUID)")
    .option("--public", "print the public keys of the file instead, as a browser fetches them", false)
    .addHelpText(
      "after",
      examples(
        ["sotto keys generate", "a new pair in keys.json"],
        ["sotto keys generate --out keys.json --public > public.json", "the public list to serve to clients"]
      )
    )
    .action(async (options) => (await import("./commands/Keys.ts")).generate(options))
  keys
    .command("ledger")
    .description("Make the fingerprint and noise keys of a ledger, or add a noise key")
    .option("--out <file>", "the key file (mode 0600); keep it apart from backups of the ledger", "ledger-keys.json")
    .option("--rotate", "add a new noise key to an existing file and use it from now on", false)
    .addHelpText(
      "after",
      examples(
        ["sotto keys ledger --out ledger-keys.json", "keys for a new ledger"],
        [
          "sotto keys ledger --out ledger-keys.json --rotate",
          "new questions use a new noise key, old ones replay with the old"
        ]
      )
    )
    .action(async (options) => (await import("./commands/Keys.ts")).ledger(options))

  const reports = root
    .command("reports")
    .description("Make, pack and open reports")
    .addHelpText(
      "after",
      examples(["sotto reports generate --count 100 --cleartext --out data", "a hundred reports, not encrypted"])
    )
  reports
    .command("generate")
    .description("Make reports from a seed, with their output domain and true sums")
    .addOption(new Option("--count <n>", "how many reports").argParser(whole(1)).default(1000))
    .addOption(new Option("--out <folder>", "where reports.avro, domain.avro and truth.json go").makeOptionMandatory())
    .option("--keys <file>", "seal for the first key of this file")
    .option("--cleartext", "write cleartext reports instead", false)
    .option("--seed <text>", "the same seed gives the same files", "sotto")
    .option(
      "--distribution <file>",
      "CSV with a line `bucket,weight` per key (default: campaigns and regions, few of them popular)"
    )
    .addOption(
      new Option("--campaigns <n>", "keys of the default distribution: campaigns").argParser(whole(1)).default(50)
    )
    .addOption(new Option("--regions <n>", "keys of the default distribution: regions").argParser(whole(1)).default(20))
    .addOption(
      new Option("--api <api>", "the API that the reports name")
        .choices(["attribution-reporting", "attribution-reporting-debug", "protected-audience", "shared-storage"])
        .default("shared-storage")
    )
    .option("--origin <origin>", "reporting origin", "https://reports.example.com")
    .option("--debug-mode", "reports that a debug run accepts", false)
    .addOption(asOfOption())
    .addHelpText(
      "after",
      examples(
        ["sotto reports generate --count 10000 --keys keys.json --out data", "encrypted reports"],
        ["sotto reports generate --count 100 --cleartext --seed 7 --out data", "cleartext ones, always the same"]
      )
    )
    .action(async (options) => (await import("./commands/Reports.ts")).generate(options))
  reports
    .command("pack")
    .description("Pack a browser's JSON reports into one Avro file")
    .addArgument(new Argument("<report.json...>", "reports as the browser posted them"))
    .addOption(new Option("--out <file>", "the Avro file").makeOptionMandatory())
    .option("--cleartext", "take their debug payloads instead of the encrypted ones", false)
    .addHelpText(
      "after",
      examples([
        "sotto reports pack --out reports.avro report_*.json",
        "what the collector endpoint received, ready to aggregate"
      ])
    )
    .action(async (files, options) => (await import("./commands/Reports.ts")).pack(files, options))
  reports
    .command("unseal")
    .description("Open encrypted reports into cleartext ones; the result is raw data")
    .addOption(new Option("--keys <file>", "key file made by `sotto keys generate`").makeOptionMandatory())
    .addOption(new Option("--in <file>", "encrypted reports").makeOptionMandatory())
    .addOption(new Option("--out <file>", "cleartext reports").makeOptionMandatory())
    .addHelpText(
      "after",
      examples([
        "sotto reports unseal --keys keys.json --in reports.avro --out cleartext.avro",
        "look inside your own test reports"
      ])
    )
    .action(async (options) => (await import("./commands/Reports.ts")).unseal(options))

  root
    .command("show")
    .description("Show reports, domains and summaries in Avro")
    .addArgument(new Argument("<file.avro>", "a file of ours or of the Aggregation Service"))
    .option("--json", "print one JSON document", false)
    .option("--plot", "draw a summary as bars with 95 % intervals", false)
    .option("--epsilon <number>", "ε of a summary whose file does not say it, for the intervals")
    .option("--truth <file>", "true sums from `sotto reports generate`, shown beside the summary")
    .addOption(new Option("--limit <n>", "show at most this many rows (0: all)").argParser(whole(0)).default(40))
    .addOption(new Option("--skip <n>", "leave out the first rows").argParser(whole(0)).default(0))
    .addOption(new Option("--sort <by>", "order of the rows").choices(["bucket", "metric"]).default("bucket"))
    .addHelpText(
      "after",
      examples(
        ["sotto show out/output.avro", "a table"],
        ["sotto show out/output.avro --plot --sort metric --limit 20", "the twenty largest keys"]
      )
    )
    .action(async (file, options) => (await import("./commands/Show.ts")).show(file, options))

  root
    .command("plan")
    .description("Tell how accurate a summary will be, before any budget is spent")
    .addOption(new Option("--epsilon <number>", "ε of the question").default("10"))
    .addOption(
      new Option(
        "--share <number>",
        "part of the contribution budget that one conversion gives to the key, above 0 and up to 1"
      )
        .argParser(decimal(0, 1))
        .default(1)
    )
    .addOption(
      new Option("--target-error <percent>", "the relative error you can live with")
        .argParser(decimal(0, 100))
        .default(5)
    )
    .addOption(
      new Option("--confidence <percent>", "how sure you want to be").argParser(decimal(0, 99.999999)).default(95)
    )
    .addOption(new Option("--keys <n>", "how many keys must hold at once").argParser(whole(1)).default(1))
    .addOption(new Option("--counts <list>", "conversions per key that you expect, e.g. 10,100,1000"))
    .addOption(new Option("--l1-sensitivity <n>", "the contribution budget").argParser(whole(1)).default(65536))
    .option("--json", "print one JSON document", false)
    .addHelpText(
      "after",
      examples([
        "sotto plan --epsilon 10 --share 0.25 --target-error 5",
        "four metrics a conversion: how many conversions does a key need?"
      ])
    )
    .action(async (options) => (await import("./commands/Plan.ts")).plan(options))

  const noise = root
    .command("noise")
    .description("Sample the noise, to test it yourself")
    .addHelpText(
      "after",
      examples(["sotto noise sample --epsilon 10 --json samples.json", "a hundred thousand samples"])
    )
  noise
    .command("sample")
    .description("Write samples of the noise as JSON")
    .addOption(new Option("--epsilon <number>", "ε").default("10"))
    .addOption(new Option("--sensitivity <n>", "L1 sensitivity").argParser(whole(1)).default(65536))
    .addOption(new Option("--count <n>", "how many samples").argParser(whole(1)).default(100000))
    .addOption(
      new Option(
        "--path <path>",
        "release: one random seed and consecutive buckets, as a summary draws them · system: fresh random words for each"
      )
        .choices(["release", "system"])
        .default("release")
    )
    .addOption(new Option("--json <file>", "where `{epsilon, sensitivity, samples}` goes").makeOptionMandatory())
    .addHelpText(
      "after",
      examples(["sotto noise sample --epsilon 10 --count 200000 --json samples.json", "feed your own statistics"])
    )
    .action(async (options) => (await import("./commands/Noise.ts")).sample(options))

  const budget = root
    .command("budget")
    .description("Look into a budget ledger")
    .addHelpText("after", examples(["sotto budget show --ledger ledger.db", "spent and remaining ε by unit"]))
  const ledgerArguments = (command: Command): Command =>
    command
      .addOption(ledgerOption().makeOptionMandatory())
      .addOption(ledgerKeysOption())
      .addOption(scopeOption())
      .option("--json", "print one JSON document", false)
  ledgerArguments(budget.command("show"))
    .description("Show what units have spent and what remains")
    .addOption(new Option("--limit <n>", "show at most this many units (0: all)").argParser(whole(0)).default(40))
    .addHelpText("after", examples(["sotto budget show --ledger ledger.db", "spent and remaining ε by unit"]))
    .action(async (options) => (await import("./commands/Budget.ts")).show(options))
  ledgerArguments(questionOptions(budget.command("check")))
    .description("Tell whether these reports could be asked about; charges nothing")
    .addOption(new Option("--epsilon <number>", "ε of the question").default("10"))
    .addOption(
      new Option("--budget <charge>", "how the question would be charged")
        .choices(["exclusive", "shared"])
        .default("exclusive")
    )
    .addHelpText(
      "after",
      examples([
        "sotto budget check --ledger ledger.db --keys keys.json --input-data-avro-file reports/ --reporting-site https://example.com",
        "advice before a job is submitted"
      ])
    )
    .action(async (options) => (await import("./commands/Budget.ts")).check(options))
  ledgerArguments(budget.command("history"))
    .description("Show the chain of questions and verify it")
    .addOption(new Option("--limit <n>", "show at most this many questions (0: all)").argParser(whole(0)).default(40))
    .addHelpText("after", examples(["sotto budget history --ledger ledger.db", "who asked what, when, at which price"]))
    .action(async (options) => (await import("./commands/Budget.ts")).history(options))
  ledgerArguments(budget.command("purge"))
    .description("Forget units before a time; they are exhausted for ever")
    .addOption(
      new Option(
        "--before <time>",
        "e.g. 2024-01-31T00:00:00Z; units of earlier hours can never pay again"
      ).makeOptionMandatory()
    )
    .addHelpText(
      "after",
      examples([
        "sotto budget purge --ledger ledger.db --before 2024-01-01T00:00:00Z",
        "make the ledger smaller, or close a scope to older reports"
      ])
    )
    .action(async (options) => (await import("./commands/Budget.ts")).purge(options))
  ledgerArguments(budget.command("accept-rollback"))
    .description("Accept a ledger that was restored from an older copy, and record it")
    .addOption(new Option("--reason <text>", "what happened; kept in the ledger").makeOptionMandatory())
    .addHelpText(
      "after",
      examples([
        'sotto budget accept-rollback --ledger ledger.db --reason "restored the backup of 3 May"',
        "spend again after a restore"
      ])
    )
    .action(async (options) => (await import("./commands/Budget.ts")).acceptRollback(options))

  const configured = (command: Command): Command =>
    command
      .option("--config <file>", "what to run; see docs/configuration.md (default: sotto.json if it is there)")
      .option("--folder <folder>", "where everything is kept, instead of the configuration's folder")
  configured(root.command("serve"))
    .description("Serve jobs over HTTP, and run them")
    .option("--host <host>", "where to listen, instead of http.host; without API keys on this machine only")
    .addOption(new Option("--port <n>", "the port, instead of http.port; 0: a free one").argParser(whole(0)))
    .option("--no-workers", "answer requests only; `sotto worker` runs the jobs")
    .option("--check-config", "say what would run, and start nothing", false)
    .option("--json", "print what would run as one JSON document", false)
    .addHelpText(
      "after",
      examples(
        ["sotto serve", "everything in ./sotto, for this machine only"],
        ["sotto serve --config sotto.json --check-config", "is the configuration right, and what comes of it?"],
        ["sotto serve --config sotto.json --no-workers", "several processes: this one answers, others work"]
      )
    )
    .action(async (options) => (await import("./commands/Serve.ts")).serve(options))
  configured(root.command("worker"))
    .description("Run the jobs of a server, over the same store")
    .addHelpText(
      "after",
      examples(["sotto worker --config sotto.json", "one more process that works; start as many as there are cores"])
    )
    .action(async (options) => (await import("./commands/Serve.ts")).worker(options))

  const jobs = root
    .command("jobs")
    .description("Submit jobs to a server or to the store of an engine, and look after them")
    .addHelpText(
      "after",
      examples(
        ["sotto jobs list --url http://127.0.0.1:8787", "what there is, the newest first"],
        ["sotto jobs list --store data/sotto.db", "the same without a server, from the file"]
      )
    )
  const jobCommand = (command: Command): Command =>
    command
      .option("--url <url>", "the server, e.g. http://127.0.0.1:8787; its API key is in SOTTO_API_KEY")
      .option("--api-key-file <file>", "a file with the API key, instead of SOTTO_API_KEY")
      .option("--store <file>", "without a server: the store of jobs (SQLite), e.g. sotto.db of an engine's folder")
      .option("--tenant <name>", "whose jobs, with --store (default: default)")
      .option("--json", "print one JSON document", false)
  const oneJob = (command: Command): Command => jobCommand(command.addArgument(new Argument("<id>", "the job")))
  jobCommand(jobs.command("submit"))
    .description("Submit a job; a worker of the server or the store runs it")
    .addOption(new Option("--kind <name>", "the kind of job").default("aggregation"))
    .addOption(
      new Option(
        "--parameters <json>",
        "the parameters as JSON, or @file to read them from a file"
      ).makeOptionMandatory()
    )
    .option("--key <text>", "submitting again with this key finds the same job")
    .option("--name <text>", "a name for people")
    .addOption(new Option("--priority <n>", "-100 to 100, higher first").default("0"))
    .addHelpText(
      "after",
      examples([
        "sotto jobs submit --url http://127.0.0.1:8787 --parameters @job.json --key monday",
        "aggregate, once, however often this is repeated"
      ])
    )
    .action(async (options) => (await import("./commands/Jobs.ts")).submit(options))
  jobCommand(jobs.command("list"))
    .description("List jobs, the newest first")
    .option("--kind <name>", "only of this kind")
    .option("--state <list>", "only in these states, e.g. Queued,Running")
    .addOption(new Option("--limit <n>", "at most so many").argParser(whole(1)).default(40))
    .addHelpText("after", examples(["sotto jobs list --store data/sotto.db --state Failed", "what failed"]))
    .action(async (options) => (await import("./commands/Jobs.ts")).list(options))
  oneJob(jobs.command("get"))
    .description("Show one job")
    .addHelpText("after", examples(["sotto jobs get --store data/sotto.db 4e8e1f6a-…", "state, progress and outcome"]))
    .action(async (id, options) => (await import("./commands/Jobs.ts")).get(id, options))
  oneJob(jobs.command("wait"))
    .description("Wait until a job has ended; exit code 1 unless it succeeded")
    .addHelpText(
      "after",
      examples(["sotto jobs wait --url http://127.0.0.1:8787 4e8e1f6a-…", "in a script: go on when it is done"])
    )
    .action(async (id, options) => (await import("./commands/Jobs.ts")).wait(id, options))
  oneJob(jobs.command("cancel"))
    .description("Cancel a job")
    .option("--reason <text>", "why; kept in its log")
    .addHelpText(
      "after",
      examples(["sotto jobs cancel --store data/sotto.db 4e8e1f6a-…", "a worker that runs it stops"])
    )
    .action(async (id, options) => (await import("./commands/Jobs.ts")).cancel(id, options))
  oneJob(jobs.command("events"))
    .description("Show what happened to a job; with --json one document a line")
    .option("--follow", "go on until the job has ended", false)
    .addOption(new Option("--after <n>", "only events with higher numbers").argParser(whole(0)).default(0))
    .addHelpText(
      "after",
      examples(
        ["sotto jobs events --url http://127.0.0.1:8787 --follow 4e8e1f6a-…", "watch a job until it ends"],
        ["sotto jobs events --store data/sotto.db 4e8e1f6a-…", "the whole log, as the engine keeps it"]
      )
    )
    .action(async (id, options) => (await import("./commands/Jobs.ts")).events(id, options))

  const apiKeys = root
    .command("apikeys")
    .description("Make API keys for a server, and revoke them")
    .addHelpText("after", examples(["sotto apikeys list --store data/sotto.db", "who may use the server"]))
  const onStore = (command: Command): Command =>
    command.addOption(new Option("--store <file>", "the store of the server (SQLite)").makeOptionMandatory())
  const keyCommand = (command: Command): Command => onStore(command).option("--json", "print one JSON document", false)
  keyCommand(apiKeys.command("create"))
    .description("Make a key and print it, once; from the first key on a server lets nobody in without one")
    .option("--tenant <name>", "whose key", "default")
    .option("--name <text>", "who uses it, for the list and the log (default: its id)")
    .option("--model <name>", "the model that its on-demand jobs are for (default: any)")
    .option("--expires <time>", "for how long, as 90d, or until when, as 2030-01-31T10:00:00Z (default: for ever)")
    .addHelpText(
      "after",
      examples(["sotto apikeys create --store data/sotto.db --name ci --expires 90d > ci.key", "a key for 90 days"])
    )
    .action(async (options) => (await import("./commands/ApiKeys.ts")).create(options))
  keyCommand(apiKeys.command("list"))
    .description("List keys, also those that are over")
    .option("--tenant <name>", "only of this tenant")
    .addHelpText("after", examples(["sotto apikeys list --store data/sotto.db --tenant default", "names and states"]))
    .action(async (options) => (await import("./commands/ApiKeys.ts")).list(options))
  keyCommand(apiKeys.command("revoke").addArgument(new Argument("<id>", "the id of the key")))
    .description("Refuse a key from the next request on, for good")
    .addHelpText("after", examples(["sotto apikeys revoke --store data/sotto.db 0123456789abcdef", "it was lost"]))
    .action(async (id, options) => (await import("./commands/ApiKeys.ts")).revoke(id, options))
  onStore(apiKeys.command("rotate-signing-key"))
    .description("Sign job tokens and links to results with a new key")
    .option("--keep <time>", "how long what was signed before still counts, as 12h, 30d or 0", "30d")
    .addHelpText(
      "after",
      examples(["sotto apikeys rotate-signing-key --store data/sotto.db --keep 0", "refuse all older tokens and links"])
    )
    .action(async (options) => (await import("./commands/ApiKeys.ts")).rotateSigningKey(options))

  root
    .command("verify")
    .description("Test an adapter against the laws of its port")
    .addArgument(new Argument("<adapter.js>", "a module that exports port (a name) and make (a function)"))
    .addOption(new Option("--runs <n>", "runs of each law").argParser(whole(1)).default(50))
    .addOption(new Option("--seed <n>", "the same seed makes the same runs").argParser(whole(0)).default(1))
    .option("--mutants", "also try each law on wrong variants of the adapter, which it must catch", false)
    .option("--manifest <file>", "write what the adapter guarantees to this file, as JSON")
    .option("--at <time>", "a time to write into the manifest; there is none unless you give it")
    .option("--json", "print the manifest instead of a table", false)
    .addHelpText(
      "after",
      examples(["sotto verify ./MyBlobStore.js", "all laws of the port that the module names, as a table"])
    )
    .action(async (file, options) => (await import("./commands/Verify.ts")).verify(file, options))
}
