/**
 * The tables of a ledger file. Migration n takes `user_version` from n − 1 to n; a migration that was released is never
 * edited, another one is added.
 *
 * Triggers refuse what the ledger never does (a smaller `spent`, an opened unit, a changed or deleted spend), so that a
 * mistake in a later version cannot give budget back either (spec: ledger §3, law MONOTONE).
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
  `
]
