import { createEngine } from "sotto"
import { serviceOf } from "./server.ts"

const service = serviceOf(await createEngine({ folder: "sotto-data", log: "warn" }))
console.log(await service.listen({ port: 8080 }))
// Ends the streams, hands running jobs back and closes the engine.
process.once("SIGTERM", () => void service.close())
