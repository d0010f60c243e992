/**
 * The tables of a store file: the budget ledger, then jobs and records, then what is published of jobs. Migration n takes `user_version` from n − 1 to n; a migration that was released is never
 * edited, another one is added.
 *
 * Triggers refuse what the ledger never does (a smaller `spent`, an opened unit, a changed or deleted spend), so that a
 * mistake in a later version cannot give budget back either (spec: ledger §3, law MONOTONE). The same goes for jobs: the log of each has no gap, never changes, and moves along the rows
 * of the lifecycle, which stand here as they were when the migration was released; a test compares them with core's.
 */
export const APPLICATION_ID = 0x536f7431 // "Sot1"

export const MIGRATIONS: ReadonlyArray<string> = [
  `
  create table ledger (
    one             integer primary key check (one = 1),
    ledger_id       blob not null check (length(ledger_id) = 16),
    fingerprint_kcv blob not null check (length(fingerprint_kcv) = 8)
  ) strict;

  create table key_check (
    noise_key_id text primary key,
    kcv          blob not null check (length(kcv) = 8)
  ) strict, without rowid;

  create table scope (
    id    integer primary key,
    name  text not null unique,
    floor integer check (floor between 1 and 4294967295)
  ) strict;

  create table unit (
    scope      integer not null references scope,
    unit       blob not null check (length(unit) = 32),
    hour       integer not null,
    origin     text not null,
    spent      integer not null check (spent between 1 and 64000000),
    closed     integer not null check (closed in (0, 1)),
    delta_pico integer not null default 0,
    primary key (scope, unit)
  ) strict, without rowid;

  create table spend (
    scope        integer not null references scope,
    sequence     integer not null check (sequence >= 1),
    fingerprint  blob not null check (length(fingerprint) = 32),
    spender      text not null,
    charge       text not null check (charge in ('exclusive', 'shared')),
    epsilon      integer not null check (epsilon between 1 and 64000000),
    reports      integer not null check (reports >= 0),
    unit_ids     blob not null check (length(unit_ids) > 0 and length(unit_ids) % 32 = 0),
    hours        blob not null check (length(hours) * 8 = length(unit_ids)),
    noise_key_id text not null references key_check,
    as_of        integer not null,
    charged_at   integer not null,
    prev_hash    blob not null check (length(prev_hash) = 32),
    hash         blob not null check (length(hash) = 32),
    primary key (scope, sequence),
    unique (scope, fingerprint)
  ) strict;

  create table spender (
    scope       integer not null references scope,
    spender     text not null,
    fingerprint blob not null check (length(fingerprint) = 32),
    primary key (scope, spender)
  ) strict, without rowid;

  create table rollback (
    id            integer primary key,
    scope         integer not null references scope,
    lost_sequence integer not null,
    lost_hash     blob not null,
    head_sequence integer not null,
    head_hash     blob not null,
    reason        text not null,
    accepted_at   integer not null
  ) strict;

  create trigger unit_only_grows before update on unit
    when new.spent < old.spent or new.closed < old.closed
    begin select raise(abort, 'a unit never gets budget back'); end;
  create trigger unit_outlives before delete on unit
    when not exists (select 1 from scope where id = old.scope and old.hour < floor)
    begin select raise(abort, 'only units below the floor may go'); end;
  create trigger floor_only_rises before update on scope
    when old.floor is not null and (new.floor is null or new.floor < old.floor)
    begin select raise(abort, 'a floor never falls'); end;
  create trigger spend_is_final before update on spend begin select raise(abort, 'a spend never changes'); end;
  create trigger spend_stays before delete on spend begin select raise(abort, 'a spend never goes'); end;
  create trigger spender_asks_once before update on spender
    when new.fingerprint <> old.fingerprint
    begin select raise(abort, 'one question per job'); end;
  `,
  `
  create table transition (
    relation   text not null,
    from_state text not null,
    to_states  text not null,
    primary key (relation, from_state)
  ) strict, without rowid;
  insert into transition (relation, from_state, to_states) values
    ('leased', 'Absent', 'Queued'),
    ('leased', 'Queued', 'Starting Queued Failed Cancelled'),
    ('leased', 'Starting', 'Running Skipped Failed Queued Starting Cancelled'),
    ('leased', 'Running', 'Finishing Succeeded Skipped Failed Queued Running AwaitingInput AwaitingExternal Cancelled'),
    ('leased', 'AwaitingInput', 'Queued AwaitingInput Failed Cancelled'),
    ('leased', 'AwaitingExternal', 'AwaitingExternal Queued Failed Cancelled'),
    ('leased', 'Finishing', 'Succeeded Failed Queued Finishing Cancelled'),
    ('leased', 'Succeeded', 'Succeeded'),
    ('leased', 'Failed', 'Queued Failed'),
    ('leased', 'Cancelled', 'Queued Cancelled'),
    ('leased', 'Skipped', 'Skipped'),
    ('reported', 'Absent', 'Starting Queued Running Finishing Cancelling Succeeded Cancelled Failed Skipped Unknown'),
    ('reported', 'Queued', 'Starting Running Finishing Cancelling Succeeded Cancelled Failed Skipped Unknown Queued'),
    ('reported', 'Starting', 'Running Finishing Cancelling Succeeded Cancelled Failed Skipped Unknown Starting'),
    ('reported', 'Running', 'Finishing Cancelling Succeeded Cancelled Failed Skipped Unknown Running'),
    ('reported', 'Finishing', 'Cancelling Succeeded Cancelled Failed Unknown Finishing'),
    ('reported', 'Cancelling', 'Succeeded Cancelled Failed Unknown Cancelling'),
    ('reported', 'Unknown', 'Starting Running Finishing Cancelling Succeeded Cancelled Failed Skipped Unknown');

  create table job (
    n               integer primary key,
    tenant          text not null,
    id              text not null,
    kind            text not null,
    key             text,
    concurrency_key text,
    relation        text not null check (relation in ('leased', 'reported')),
    state           text not null check (state in (
      'Queued', 'Starting', 'Running', 'AwaitingInput', 'AwaitingExternal', 'Finishing', 'Cancelling', 'Unknown',
      'Succeeded', 'Failed', 'Cancelled', 'Skipped')),
    seq             integer not null check (seq >= 1),
    epoch           integer not null check (epoch >= 0),
    dead            integer not null check (dead in (0, 1) and (dead = 0 or state = 'Failed')),
    rank            integer not null, -- minus the priority: who goes first comes first
    created_at      integer not null,
    ready_at        integer check ((ready_at is not null) = (relation = 'leased' and state = 'Queued')),
    timer_at        integer,
    retain_until    integer
      check ((retain_until is not null) = (state in ('Succeeded', 'Failed', 'Cancelled', 'Skipped'))),
    lease_token     text check ((lease_token is null) = (lease_deadline is null)),
    lease_worker    text check ((lease_worker is null) = (lease_deadline is null)),
    lease_deadline  integer
      check ((lease_deadline is not null) = (relation = 'leased' and state in ('Starting', 'Running', 'Finishing'))),
    quiet_lease     integer not null default 0, -- until then it is not given out as due once more
    quiet_timer     integer not null default 0,
    quiet_ready     integer not null default 0,
    due_lease       integer generated always as (max(lease_deadline, quiet_lease)),
    due_timer       integer generated always as (max(timer_at, quiet_timer)),
    due_ready       integer generated always as (max(ready_at, quiet_ready)),
    progress        text,
    row             text not null,
    unique (tenant, id)
  ) strict;

  create unique index job_key on job (tenant, key, kind) where key is not null;
  create index job_waiting on job (kind, tenant, rank, ready_at, id, concurrency_key, created_at)
    where ready_at is not null;
  create index job_held on job (tenant, kind, concurrency_key) where lease_deadline is not null;
  create index job_token on job (lease_token) where lease_token is not null;
  create index job_due_lease on job (kind, due_lease) where due_lease is not null;
  create index job_due_timer on job (kind, due_timer) where due_timer is not null;
  create index job_due_ready on job (kind, due_ready) where due_ready is not null;
  create index job_listed on job (tenant, state, created_at, id, kind);
  create index job_retained on job (retain_until, kind) where retain_until is not null;

  create table event (
    job   integer not null references job on delete cascade,
    seq   integer not null,
    state text not null,
    body  text not null,
    primary key (job, seq)
  ) strict;

  create table output (
    job     integer not null references job on delete cascade,
    session integer not null,
    key     text not null,
    data    text not null,
    primary key (job, session, key)
  ) strict;

  create table claim_token (
    token text primary key,
    at    integer not null
  ) strict, without rowid;
  create index claim_token_at on claim_token (at);

  -- How many jobs there are, kept up to date: counting them takes too long.
  create table job_count (
    tenant text not null,
    kind   text not null,
    state  text not null,
    jobs   integer not null check (jobs >= 0),
    primary key (tenant, kind, state)
  ) strict, without rowid;
  create trigger job_counted after insert on job begin
    insert into job_count (tenant, kind, state, jobs) values (new.tenant, new.kind, new.state, 1)
      on conflict do update set jobs = jobs + 1;
  end;
  create trigger job_moved after update of state on job when new.state <> old.state begin
    update job_count set jobs = jobs - 1 where tenant = old.tenant and kind = old.kind and state = old.state;
    insert into job_count (tenant, kind, state, jobs) values (new.tenant, new.kind, new.state, 1)
      on conflict do update set jobs = jobs + 1;
  end;
  create trigger job_gone after delete on job begin
    update job_count set jobs = jobs - 1 where tenant = old.tenant and kind = old.kind and state = old.state;
  end;

  create trigger event_follows before insert on event
    when new.seq <> 1 + coalesce((select max(seq) from event where job = new.job), 0)
    begin select raise(abort, 'the events of a job have no gap'); end;
  create trigger event_allowed before insert on event
    when not exists (
      select 1 from transition
      where relation = (select relation from job where n = new.job)
        and from_state = coalesce((select state from event where job = new.job and seq = new.seq - 1), 'Absent')
        and instr(' ' || to_states || ' ', ' ' || new.state || ' ') > 0)
    begin select raise(abort, 'the lifecycle has no such step'); end;
  create trigger event_is_final before update on event begin select raise(abort, 'an event never changes'); end;
  create trigger event_stays before delete on event
    when exists (select 1 from job where n = old.job)
    begin select raise(abort, 'events go with their job'); end;
  create trigger job_follows before update of seq, state on job
    when new.state is not (select state from event where job = new.n and seq = new.seq)
    begin select raise(abort, 'a job is the fold of its events'); end;
  create trigger job_stays before delete on job
    when old.retain_until is null
    begin select raise(abort, 'only ended jobs may go'); end;

  create table record (
    collection text not null,
    tenant     text not null,
    key        text not null,
    version    integer not null,
    bytes      blob not null check (length(bytes) <= 65536),
    expires_at integer,
    primary key (collection, tenant, key)
  ) strict;
  create index record_expires on record (expires_at) where expires_at is not null;

  create table record_version (
    one  integer primary key check (one = 1),
    last integer not null
  ) strict;
  insert into record_version (one, last) values (1, 0);
  create trigger version_only_rises before update on record_version
    when new.last <= old.last
    begin select raise(abort, 'a version is given once'); end;
  `,
  `
  alter table job add column outward_seq integer not null default 0;
  alter table job add column published integer not null default 0 check (published between 0 and outward_seq);
  update job set outward_seq = row ->> 'outwardSeq';
  create index job_unpublished on job (tenant, created_at, id) where outward_seq > published;
  create trigger published_only_rises before update of published on job
    when new.published < old.published
    begin select raise(abort, 'what was published stays so'); end;
  `
]
