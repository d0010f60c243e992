/** Tokens of the vault inside inputs, and what they stand for: seen by scripts only (spec: automation §4). */
import { isPlainObject, type Plain } from "@sotto/core/job"
import * as Effect from "effect/Effect"
import { ScriptFailed } from "./Service.ts"

/** Whether data holds a token anywhere: then it is known what it is only when a script reads it. */
export const holdsToken = (data: Plain): boolean =>
  Array.isArray(data)
    ? data.some(holdsToken)
    : isPlainObject(data) &&
      (typeof data["$token"] === "string" ||
        typeof data["panToken"] === "string" ||
        Object.values(data).some(holdsToken))

/**
 * `{"$token": …}` becomes the data that was put into the vault; an object with a `panToken` gets the card number as `pan`
 * beside it.
 */
export const withTokens = <E>(
  data: Plain,
  withdraw: (token: string) => Effect.Effect<Plain | undefined, E>
): Effect.Effect<Plain, E | ScriptFailed> =>
  Effect.gen(function* () {
    if (Array.isArray(data))
      return yield* Effect.forEach(data as ReadonlyArray<Plain>, (one) => withTokens(one, withdraw))
    if (!isPlainObject(data)) return data
    const { $token, panToken } = data
    if (typeof $token === "string" && Object.keys(data).length === 1)
      return yield* found($token, withdraw, "InputInvalid")
    const members: Record<string, Plain> = {}
    for (const [name, value] of Object.entries(data)) members[name] = yield* withTokens(value, withdraw)
    if (typeof panToken === "string") members["pan"] = yield* found(panToken, withdraw, "PanTokenInvalid")
    return members
  })

const found = Effect.fnUntraced(function* <E>(
  token: string,
  withdraw: (token: string) => Effect.Effect<Plain | undefined, E>,
  code: string
) {
  const data = yield* withdraw(token)
  if (data !== undefined) return data
  return yield* new ScriptFailed({ code, category: "client", message: "A token of the vault is not known any more." })
})
