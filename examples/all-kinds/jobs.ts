/** What `sotto.json` offers beside aggregations and SQL: a model and an automation. Yours go here. */
export { pythagoras } from "../pythagoras/model.ts"
export { schoolMenu } from "../school-menu/services.ts"
