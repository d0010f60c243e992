import { createEngine } from "sotto"
import { serviceOf } from "./server.ts"

const engine = await createEngine({ folder: "sotto-data" })
const service = serviceOf(engine).listen(8080, () => console.log("http://localhost:8080/jobs"))
process.once("SIGTERM", () => service.close(() => void engine.close()))
