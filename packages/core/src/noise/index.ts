export { freshSeed, questionSeed, SEED_BYTES, syncMarker } from "./Seed.ts"
export type { FreshSeed, NoiseSeed, QuestionSeed } from "./Seed.ts"
