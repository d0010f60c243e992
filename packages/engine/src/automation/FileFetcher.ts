import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** The file was not fetched. `message` is a sentence without the address. */
export class FileRefused extends Schema.TaggedError<FileRefused>()("FileRefused", { message: Schema.String }) {}

export interface FileRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly maxBytes: number
}

/** Fetches what clients name, from where an operator lets it. */
export class FileFetcher extends Context.Service<
  FileFetcher,
  {
    fetch(
      request: FileRequest
    ): Effect.Effect<{ readonly mime: string | null; readonly bytes: Uint8Array }, FileRefused>
  }
>()("@sotto/engine/automation/FileFetcher") {}
