/** A client as a page has it: Node's own EventSource follows one address and tells what it hears. */
const [, , url = ""] = process.argv
const names = "submitted queued starting started finishing retrying renamed succeeded failed cancelled skipped".split(
  " "
)

/** What is told of one event, and at the end. */
export type Heard =
  | { readonly _tag: "Event"; readonly id: string; readonly name: string; readonly number: number }
  | { readonly _tag: "Lost" }
  | { readonly _tag: "Over" }

interface Message {
  readonly lastEventId: string
  readonly type: string
  readonly data: string
}
interface Source {
  readonly readyState: number
  addEventListener(name: string, listen: (message: Message) => void): void
}
declare const EventSource: new (url: string) => Source

if (process.send !== undefined) {
  const tell = (heard: Heard) => process.send?.(heard)
  const source = new EventSource(url)
  for (const name of names) {
    source.addEventListener(name, ({ lastEventId, type, data }) =>
      tell({ _tag: "Event", id: lastEventId, name: type, number: JSON.parse(data).number })
    )
  }
  source.addEventListener("error", () => tell({ _tag: source.readyState === 2 ? "Over" : "Lost" }))
  process.once("disconnect", () => process.exit())
}
