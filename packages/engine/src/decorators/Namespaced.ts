/**
 * Several installations on one store, none of which sees the others.
 *
 * Names are prefixed on the way in and bared on the way out. A budget ledger has no such decorator: its hash chain binds the
 * scope, and another name for a budget would be another budget.
 */
import type { Commit, Job, JobEvent } from "@sotto/core/job"
import { type BlobInfo, type BlobRef, BlobStore } from "@sotto/core/ports/BlobStore"
import { type JobSnapshot, JobStore } from "@sotto/core/ports/JobStore"
import { type RecordId, Records } from "@sotto/core/ports/Records"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

type Decorator<Port> = <E, R>(layer: Layer.Layer<Port, E, R>) => Layer.Layer<Port, E, R>

/** Prefixes tenants and kinds: kinds, because workers claim by kind from every tenant. */
export const namespacedJobStore =
  (namespace: string): Decorator<JobStore> =>
  (layer) =>
    Layer.provide(
      Layer.effect(
        JobStore,
        Effect.map(JobStore, (store) => jobsOf(store, `${namespace}/`))
      ),
      layer
    )

const jobsOf = (store: JobStore["Service"], prefix: string): JobStore["Service"] => {
  const into = (name: string): string => prefix + name
  const out = (name: string): string => name.slice(prefix.length)
  const named = <A extends { readonly tenant: string }>(one: A, how: typeof into): A => ({
    ...one,
    tenant: how(one.tenant)
  })
  const job = <A extends Pick<Job, "tenant" | "kind">>(one: A, how: typeof into): A => ({
    ...named(one, how),
    kind: how(one.kind)
  })
  const event = (one: JobEvent, how: typeof into): JobEvent =>
    one._tag === "Submitted" ? { ...one, submission: job(one.submission, how) } : one
  const commit = (one: Commit): Commit => ({
    ...named(one, into),
    row: job(one.row, into),
    events: one.events.map((each) => event(each, into))
  })
  const bared = <A extends Pick<JobSnapshot, "row">>(one: A): A => ({ ...one, row: job(one.row, out) })

  return JobStore.of({
    capabilities: store.capabilities,
    create: (asked) =>
      Effect.map(store.create({ ...asked, submission: job(asked.submission, into) }), (answer) =>
        answer._tag === "KeyConflict" ? answer : bared(answer)
      ),
    read: (tenant, id) => Effect.map(store.read(into(tenant), id), (found) => ("_tag" in found ? found : bared(found))),
    commit: (one) => store.commit(commit(one)),
    commitMany: (commits) => store.commitMany(commits.map(commit)),
    claim: (request) =>
      Effect.map(
        store.claim({ ...request, kinds: request.kinds.map((one) => ({ ...one, kind: into(one.kind) })) }),
        (claimed) => claimed.map((one) => ({ ...bared(one), lease: named(one.lease, out) }))
      ),
    renew: (renewals, leaseMs) =>
      Effect.map(
        store.renew(
          renewals.map((one) => ({ ...one, lease: named(one.lease, into) })),
          leaseMs
        ),
        (answers) =>
          answers.map((answer) => (answer._tag === "Renewed" ? { ...answer, lease: named(answer.lease, out) } : answer))
      ),
    due: (kinds, limit) => Effect.map(store.due(kinds.map(into), limit), (due) => due.map((one) => job(one, out))),
    events: (tenant, id, after, limit) =>
      Effect.map(store.events(into(tenant), id, after, limit), (found) =>
        "_tag" in found ? found : found.map((one) => event(one, out))
      ),
    output: (tenant, id, session, key) => store.output(into(tenant), id, session, key),
    list: (tenant, { kinds, ...filter }, after, limit) =>
      Effect.map(
        store.list(into(tenant), kinds === undefined ? filter : { ...filter, kinds: kinds.map(into) }, after, limit),
        ({ rows, next }) => ({ rows: rows.map((row) => job(row, out)), next })
      ),
    tally: (tenant) =>
      Effect.map(store.tally(tenant === null ? null : into(tenant)), (tally) =>
        tally.flatMap((one) => (one.kind.startsWith(prefix) ? [{ ...one, kind: out(one.kind) }] : []))
      ),
    unpublished: (tenants, limit) =>
      Effect.map(store.unpublished(tenants.map(into), limit), (found) => found.map((one) => job(one, out))),
    published: (marks) => store.published(marks.map((one) => named(one, into))),
    purge: ({ kinds }, limit) =>
      Effect.flatMap(
        kinds === undefined
          ? Effect.map(store.tally(null), (tally) =>
              tally.flatMap(({ kind }) => (kind.startsWith(prefix) ? [kind] : []))
            )
          : Effect.succeed(kinds.map(into)),
        (ours) => store.purge({ kinds: ours }, limit)
      )
  })
}

/** Prefixes tenants. */
export const namespacedRecords =
  (namespace: string): Decorator<Records> =>
  (layer) =>
    Layer.provide(
      Layer.effect(
        Records,
        Effect.map(Records, (records) => {
          const into = <A extends Pick<RecordId, "tenant">>(one: A): A => ({
            ...one,
            tenant: `${namespace}/${one.tenant}`
          })
          return Records.of({
            capabilities: records.capabilities,
            get: (id) => records.get(into(id)),
            put: (request) => records.put(into(request)),
            delete: (id, expectVersion) => records.delete(into(id), expectVersion),
            scan: (place, after, limit) => records.scan(into(place), after, limit)
          })
        })
      ),
      layer
    )

/** Prefixes keys, as a folder would; errors name the whole key. */
export const namespacedBlobStore =
  (namespace: string): Decorator<BlobStore> =>
  (layer) =>
    Layer.provide(
      Layer.effect(
        BlobStore,
        Effect.map(BlobStore, (store) => {
          const prefix = `${namespace}/`
          const into = ({ bucket, key }: BlobRef): BlobRef => ({ bucket, key: prefix + key })
          const out = (info: BlobInfo): BlobInfo => ({ ...info, key: info.key.slice(prefix.length) })
          return BlobStore.of({
            capabilities: store.capabilities,
            list: (bucket, start) => Stream.map(store.list(bucket, prefix + start), out),
            stat: (ref) => Effect.map(store.stat(into(ref)), out),
            read: (ref, options) => store.read(into(ref), options),
            write: (ref, source, options) => Effect.map(store.write(into(ref), source, options), out),
            delete: (ref) => store.delete(into(ref)),
            probe: (ref) => store.probe(into(ref)),
            signedLink: (ref, seconds) => store.signedLink(into(ref), seconds),
            localPath: (ref) => store.localPath(into(ref))
          })
        })
      ),
      layer
    )
