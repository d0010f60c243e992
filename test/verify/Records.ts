import { layerMemoryRecords } from "@sotto/memory"

export const port = "Records"
export const make = () => layerMemoryRecords()
