/** The example of docs/embedding.md and docs/kinds.md without Effect. */
import { createEngine, defineKind, JobError } from "sotto"

interface Order {
  readonly item: string
  readonly count: number
}

const readOrder = (value: unknown): Order => {
  const { item, count } = (value ?? {}) as Partial<Order>
  if (typeof item !== "string" || typeof count !== "number") throw new Error("An order has an item and a count.")
  return { item, count }
}

const packing = defineKind({
  name: "packing",
  parameters: readOrder,
  retry: { maxFailures: 3 },
  perTenant: 10,
  run: async (job) => {
    const { item, count } = job.parameters
    if (count > 100) throw new JobError("TooMany", "We pack at most 100.", { category: "client" })
    const box = await job.once("box", () => ({ label: `${count} × ${item}` }))
    job.progress(1, 2, "address")
    const address = await job.ask("address")
    return { box, address }
  }
})

export const packOne = async (folder: string) => {
  await using engine = await createEngine({ folder, kinds: [packing] })
  const { job } = await engine.submit("packing", { item: "cup", count: 3 }, { tenant: "north", key: "order 7" })
  for await (const { key } of engine.questions(job.id, { tenant: "north" })) {
    await engine.giveInput(job.id, key, "Lisbon", { tenant: "north" })
  }
  return (await engine.get(job.id, { tenant: "north" })).job.outcome
}
