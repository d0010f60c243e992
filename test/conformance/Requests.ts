/** What the tests send, and the error bodies that they expect, to the byte. */

/** A body as the original's documents show it. */
export const VALID = {
  job_request_id: "job-1",
  input_data_blob_prefix: "reports/",
  input_data_bucket_name: "data",
  output_data_blob_prefix: "summaries/out.avro",
  output_data_bucket_name: "data",
  job_parameters: {
    reporting_site: "https://example.com",
    output_domain_bucket_name: "data",
    output_domain_blob_prefix: "domain/"
  }
}

export interface Faulty {
  readonly message: string
  readonly reason: string
}

const ESCAPES: Readonly<Record<string, string>> = {
  "'": "\\u0027",
  "<": "\\u003c",
  ">": "\\u003e",
  "=": "\\u003d",
  "&": "\\u0026"
}

/** An error as it is sent (spec: aggregation §1.5): flat, two blanks, the five characters escaped. */
export const flat = (status: number, { code, message, reason }: Faulty & { readonly code: number }) => ({
  status,
  body: [
    "{",
    `  "code": ${code},`,
    `  "message": ${JSON.stringify(message).replace(/['<>=&]/g, (c) => ESCAPES[c] ?? c)},`,
    '  "details": [{',
    `    "reason": "${reason}",`,
    '    "domain": "",',
    '    "metadata": {',
    "    }",
    "  }]",
    "}"
  ].join("\n")
})
