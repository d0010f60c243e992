import { layerMemoryJobQueue } from "@sotto/memory"

export const port = "JobQueue"
export const make = () => layerMemoryJobQueue()
