/** One job as it is shown in the document; tests hold it against the schemas. */
import type { JobSummary, JobView } from "./JobView.ts"

export const EXAMPLE_ID = "018f2b52-7e3a-4c1d-9f60-2f0a6d1e8c11"

export const EXAMPLE_SUBMISSION = {
  kind: "aggregation",
  name: "March, by campaign",
  parameters: {
    inputDataBucketName: "reports",
    inputDataBlobPrefix: "2026-03/",
    outputDataBucketName: "output",
    outputDataBlobPrefix: "2026-03/summary",
    jobParameters: {
      attribution_report_to: "https://ads.example.com",
      output_domain_bucket_name: "domains",
      output_domain_blob_prefix: "campaigns.avro"
    }
  }
}

export const EXAMPLE_SUMMARY: typeof JobSummary.Type = {
  id: EXAMPLE_ID,
  kind: "aggregation",
  state: "Queued",
  key: "march-by-campaign",
  name: EXAMPLE_SUBMISSION.name,
  priority: 0,
  session: 1,
  failures: 0,
  dead: false,
  createdAt: "2026-04-01T08:00:00.000Z",
  startedAt: null,
  updatedAt: "2026-04-01T08:00:00.000Z",
  finishedAt: null
}

export const EXAMPLE_JOB: typeof JobView.Type = {
  ...EXAMPLE_SUMMARY,
  word: "RECEIVED",
  parameters: EXAMPLE_SUBMISSION.parameters,
  progress: null,
  awaiting: null,
  inputs: [],
  outputs: [],
  readyAt: "2026-04-01T08:00:00.000Z",
  deadline: null,
  failure: null,
  reason: null,
  retainUntil: null
}
