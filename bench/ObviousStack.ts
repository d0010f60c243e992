/**
 * The same work on the obvious stack: avsc's decoder, @hpke/core with the WebCrypto key exchange, a CBOR library and
 * `Map<bigint, bigint>`. Written as a careful engineer would on the first day, not to lose.
 */
import { Chacha20Poly1305 } from "@hpke/chacha20poly1305"
import { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core"
import avro from "avsc"
import { decode } from "cborg"
import { createReadStream, createWriteStream } from "node:fs"
import { finished } from "node:stream/promises"
import { randomBytes } from "node:crypto"

interface Row {
  readonly payload: Buffer
  readonly key_id: string
  readonly shared_info: string
}

interface Contribution {
  readonly bucket: Uint8Array
  readonly value: Uint8Array
  readonly id?: Uint8Array
}

const number = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString("hex")}`)

/** Sums the first `limit` reports of an Avro file; answers the sums and how many reports were opened. */
export const sumReports = async (
  file: string,
  privateKey: Uint8Array,
  limit: number
): Promise<{ readonly sums: Map<bigint, bigint>; readonly reports: number }> => {
  const suite = new CipherSuite({
    kem: new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Chacha20Poly1305()
  })
  const recipientKey = await suite.kem.importKey("raw", Uint8Array.from(privateKey).buffer, false)
  const [sums, seen] = [new Map<bigint, bigint>(), new Set<string>()]
  let reports = 0
  const rows = createReadStream(file).pipe(new avro.streams.BlockDecoder())
  for await (const row of rows as AsyncIterable<Row>) {
    if (reports === limit) break
    reports++
    const info = JSON.parse(row.shared_info) as { report_id: string }
    const recipient = await suite.createRecipientContext({
      recipientKey,
      enc: Uint8Array.from(row.payload.subarray(0, 32)).buffer,
      info: new TextEncoder().encode(`aggregation_service${row.shared_info}`).buffer as ArrayBuffer
    })
    const plaintext = await recipient.open(Uint8Array.from(row.payload.subarray(32)).buffer)
    if (seen.has(info.report_id)) continue
    seen.add(info.report_id)
    const payload = decode(new Uint8Array(plaintext)) as { readonly data: ReadonlyArray<Contribution> }
    for (const { bucket, value, id } of payload.data) {
      if (id !== undefined && number(id) !== 0n) continue
      const [key, amount] = [number(bucket), number(value)]
      if (key === 0n && amount === 0n) continue
      sums.set(key, (sums.get(key) ?? 0n) + amount)
    }
  }
  return { sums, reports }
}

/** Discrete Laplace by inversion in doubles: not exact, hence not private, but what one writes first. */
const laplace = (scale: number): bigint => {
  const uniform = (randomBytes(6).readUIntBE(0, 6) + 0.5) / 2 ** 48 - 0.5
  return BigInt(Math.round(-scale * Math.sign(uniform) * Math.log(1 - 2 * Math.abs(uniform))))
}

/** Joins a domain with the sums, noises and writes it with avsc; answers how many keys. */
export const release = async (domain: string, sums: ReadonlyMap<bigint, bigint>, out: string): Promise<number> => {
  const keys = new Set<bigint>()
  for await (const { bucket } of createReadStream(domain).pipe(
    new avro.streams.BlockDecoder()
  ) as AsyncIterable<Contribution>)
    keys.add(number(bucket))
  const encoder = new avro.streams.BlockEncoder(
    avro.Type.forSchema({
      type: "record",
      name: "AggregatedFact",
      fields: [
        { name: "bucket", type: "bytes" },
        { name: "metric", type: "long" }
      ]
    })
  )
  const file = encoder.pipe(createWriteStream(out))
  for (const key of keys) {
    const hex = key.toString(16)
    const row = {
      bucket: Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex"),
      metric: Number((sums.get(key) ?? 0n) + laplace(6553.6))
    }
    if (!encoder.write(row)) await new Promise((resolve) => encoder.once("drain", resolve))
  }
  encoder.end()
  await finished(file)
  return keys.size
}
