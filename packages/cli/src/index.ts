export { main, program } from "./Main.ts"
