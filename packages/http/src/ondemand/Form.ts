/**
 * A `multipart/form-data` body with a file of any size (RFC 7578), read as it comes: the file passes through, the fields
 * are small.
 *
 * The part `file` is a file whatever its headers say, and every other part is a field: clients differ in what they write
 * about their parts.
 */
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as MultipartParser from "effect/http/MultipartParser"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { type Problem, problem } from "../Problem.ts"

export interface FilePart {
  /** `null` if its part has none. */
  readonly fileName: string | null
  /** The type of its part as it stands there; `null` if it has none. */
  readonly type: string | null
  readonly content: Stream.Stream<Uint8Array, Problem>
}

export interface Form<A> {
  /** By name; of two with one name the first counts. */
  readonly fields: ReadonlyMap<string, string>
  /** What was made of the file; `undefined` if there was none. */
  readonly file: A | undefined
}

type Piece =
  | { readonly _tag: "Field"; readonly name: string; readonly text: string }
  | { readonly _tag: "File"; readonly info: MultipartParser.PartInfo }
  | { readonly _tag: "Chunk"; readonly bytes: Uint8Array }
  | { readonly _tag: "End" }

const MAX_PARTS = 20
const MAX_FIELD_BYTES = 1_048_576

/** Reads a whole form; `take` is given its file while the rest is still to come. */
export const readForm = <A, E, R>(request: HttpServerRequest, take: (file: FilePart) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      if (!/^multipart\/form-data *(;|$)/i.test(request.headers["content-type"] ?? "")) {
        return yield* Effect.fail(
          problem("unsupported-media-type", 'Send multipart/form-data with the parts "data" and "file".')
        )
      }
      const next = piecesOf(request.headers, yield* Stream.toPull(request.stream))
      const fields = new Map<string, string>()
      let file: A | undefined
      for (;;) {
        const piece = yield* next
        if (piece === undefined) return { fields, file } satisfies Form<A>
        if (piece._tag === "Field") {
          if (!fields.has(piece.name)) fields.set(piece.name, piece.text)
        } else if (piece._tag === "File") {
          if (file !== undefined) return yield* Effect.fail(malformed('Send one part "file": a job has one file.'))
          file = yield* take(filePart(piece.info, next))
        }
      }
    })
  )

const filePart = (
  { filename, headers }: MultipartParser.PartInfo,
  next: Effect.Effect<Piece | undefined, Problem>
): FilePart => {
  const type = headers["content-type"]
  return {
    fileName: filename ?? null,
    // A value that came in two pieces keeps its blank.
    type: typeof type === "string" ? type.trim() : null,
    content: Stream.unfold(undefined, () =>
      Effect.map(next, (piece) => (piece?._tag === "Chunk" ? ([piece.bytes, undefined] as const) : undefined))
    )
  }
}

/** The next piece of the form, in order; `undefined` behind the last. A body that breaks off is a fault. */
const piecesOf = <E>(
  headers: Readonly<Record<string, string>>,
  pull: Pull.Pull<ReadonlyArray<Uint8Array>, E>
): Effect.Effect<Piece | undefined, Problem> => {
  let pieces: Array<Piece> = []
  let at = 0
  let fault: Problem | undefined
  let ended = false
  const parser = MultipartParser.make({
    headers,
    isFile: ({ name }) => name === "file",
    maxParts: MAX_PARTS,
    maxFieldSize: MAX_FIELD_BYTES,
    onField: (info, value) =>
      pieces.push({ _tag: "Field", name: info.name, text: MultipartParser.decodeField(info, value) }),
    onFile: (info) => {
      pieces.push({ _tag: "File", info })
      return (bytes) => pieces.push(bytes === null ? { _tag: "End" } : { _tag: "Chunk", bytes })
    },
    onError: (error) => (fault ??= faultOf(error)),
    onDone: () => {}
  })
  const pump = pull.pipe(
    Effect.map((chunks) => chunks.forEach(parser.write)),
    Pull.catchDone(() =>
      Effect.sync(() => {
        ended = true
        parser.end()
      })
    ),
    Effect.mapError(() => malformed("The body broke off. Send it again."))
  )
  const next: Effect.Effect<Piece | undefined, Problem> = Effect.suspend(() => {
    const piece = pieces[at++]
    if (piece !== undefined) return Effect.succeed(piece)
    pieces = []
    at = 0
    if (fault !== undefined) return Effect.fail(fault)
    return ended ? Effect.succeed(undefined) : Effect.flatMap(pump, () => next)
  })
  return next
}

const malformed = (detail: string): Problem => problem("malformed-request", detail)

const faultOf = (error: MultipartParser.MultipartError): Problem => {
  switch (error._tag) {
    case "ReachedLimit":
      return problem(
        "payload-too-large",
        `Send at most ${MAX_PARTS} parts, and nothing but the file in more than ${MAX_FIELD_BYTES} bytes.`
      )
    case "InvalidBoundary":
      return malformed("Name the boundary of the parts in the content type, as clients of forms do by themselves.")
    case "EndNotReached":
      return malformed("The body ends before its last boundary. Send it again.")
    default:
      return malformed("The headers of a part cannot be read. Write a Content-Disposition with a name for each.")
  }
}
