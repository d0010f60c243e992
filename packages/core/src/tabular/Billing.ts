/** What a job costs. It is fixed when the job is submitted and never changes (spec: ondemand §5). */

/** Units are thousandths of a US dollar; all numbers are whole and from 0. */
export interface Billing {
  readonly recordCount: number
  /** Records that are paid for together, from 1. */
  readonly groupSize: number
  /** Begun groups. */
  readonly recordGroupCount: number
  /** Units for one group. */
  readonly groupPrice: number
  readonly billedUsage: number
}

/** What a version of a model asks for its work. */
export interface Price {
  readonly groupSize: number
  readonly groupPrice: number
}

/** The highest price of a group and the most records of a job, so that no product leaves the safe integers. */
export const MAX_GROUP_PRICE = 1_000_000
export const MAX_RECORDS = 1_000_000_000

export const bill = ({ groupSize, groupPrice }: Price, recordCount: number): Billing => {
  const recordGroupCount = Math.ceil(recordCount / groupSize)
  return { recordCount, groupSize, recordGroupCount, groupPrice, billedUsage: recordGroupCount * groupPrice }
}

/** What is wrong with a price; sentences without full stops. */
export const priceFaults = ({ groupSize, groupPrice }: Price): ReadonlyArray<string> => [
  ...(Number.isSafeInteger(groupSize) && groupSize >= 1
    ? []
    : [`groupSize is a whole number from 1, not ${groupSize}`]),
  ...(Number.isInteger(groupPrice) && groupPrice >= 0 && groupPrice <= MAX_GROUP_PRICE
    ? []
    : [`groupPrice is a whole number from 0 to ${MAX_GROUP_PRICE}, not ${groupPrice}`])
]
