import * as Schema from "effect/Schema"

/** An adapter was asked for something that its `capabilities` say it cannot do. */
export class Unsupported extends Schema.TaggedError<Unsupported>()("Unsupported", {
  capability: Schema.String,
  message: Schema.String
}) {}
