CREATE TABLE "schema_version" ("version" integer primary key, "at" bigint not null);
CREATE TABLE "gateway_state" ("gateway" text primary key, "online" integer not null, "boot_id" text, "sw" text, "policy" integer not null, "policy_generation" integer not null, "last_seen_at" bigint not null);
CREATE TABLE "stream" ("gateway" text not null, "stream" text not null, "epoch" text not null, "parent" text, "up_to" bigint not null, "head" text not null, "state" text not null, "opened_at" bigint not null, constraint "stream_pk" primary key ("gateway", "stream", "epoch"));
CREATE TABLE "event_batch" ("gateway" text not null, "epoch" text not null, "first" bigint not null, "last" bigint not null, "hash" text not null, "bytes" blob not null, "received_at" bigint not null, constraint "event_batch_pk" primary key ("gateway", "epoch", "first"));
CREATE TABLE "quarantine" ("hash" text primary key, "gateway" text not null, "stream" text not null, "epoch" text not null, "reason" text not null, "bytes" blob not null, "received_at" bigint not null, "repeats" integer not null);
CREATE INDEX "quarantine_gateway" on "quarantine" ("gateway");
CREATE TABLE "usage_record" ("gateway" text not null, "epoch" text not null, "seq" bigint not null, "prev" text not null, "hash" text not null, "org" text not null, "kind" text not null, "day" text, "wall_end" bigint not null, "bytes" blob not null, "received_at" bigint not null, constraint "usage_record_pk" primary key ("gateway", "epoch", "seq"));
CREATE TABLE "usage_posting" ("gateway" text not null, "epoch" text not null, "seq" bigint not null, "org" text not null, "day" text, "meter" text not null, "subject" text not null, "gen" integer not null, "quantity" bigint not null, "custodian" text, "workspace" text, "billable" integer not null, "q" integer not null, constraint "usage_posting_pk" primary key ("gateway", "epoch", "seq", "meter", "subject", "gen"));
CREATE INDEX "usage_posting_org" on "usage_posting" ("org", "day");
CREATE TABLE "usage_register" ("gateway" text not null, "epoch" text not null, "meter" text not null, "subject" text not null, "gen" integer not null, "org" text not null, "end" bigint not null, "seq" bigint not null, constraint "usage_register_pk" primary key ("gateway", "epoch", "meter", "subject", "gen"));
CREATE TABLE "usage_day_assign" ("gateway" text not null, "epoch" text not null, "corrects" bigint not null, "day" text not null, "seq" bigint not null, constraint "usage_day_assign_pk" primary key ("gateway", "epoch", "corrects"));
CREATE TABLE "reading_channel" ("id" integer primary key autoincrement, "gateway" text not null, "epoch" text not null, "stream" text not null, "no" integer not null, "device" text not null, "sensor" text not null, "channel" text not null, "unit" text not null, "resolution" text, "derived" integer not null, "org" text not null, "owner_epoch" integer not null, constraint "reading_channel_no" unique ("gateway", "epoch", "stream", "no"));
CREATE INDEX "reading_channel_org" on "reading_channel" ("org", "device", "sensor", "channel");
CREATE TABLE "reading_batch" ("gateway" text not null, "epoch" text not null, "stream" text not null, "seq" bigint not null, "prev" text not null, "hash" text not null, "readings" integer not null, "bytes" integer not null, "received_at" bigint not null, constraint "reading_batch_pk" primary key ("gateway", "epoch", "stream", "seq"));
CREATE TABLE "reading_chunk" ("id" integer primary key autoincrement, "channel_id" integer not null, "seq" bigint not null, "from_ms" bigint not null, "to_ms" bigint not null, "count" integer not null, "data" blob not null);
CREATE INDEX "reading_chunk_time" on "reading_chunk" ("channel_id", "to_ms", "from_ms");
CREATE INDEX "reading_chunk_seq" on "reading_chunk" ("channel_id", "seq");
CREATE TRIGGER "usage_record_no_update" before update on "usage_record"
        begin select raise(abort, 'usage_record is append-only'); end;
CREATE TRIGGER "usage_record_no_delete" before delete on "usage_record"
        begin select raise(abort, 'usage_record is append-only'); end;
CREATE TRIGGER "usage_posting_no_update" before update on "usage_posting"
        begin select raise(abort, 'usage_posting is append-only'); end;
CREATE TRIGGER "usage_posting_no_delete" before delete on "usage_posting"
        begin select raise(abort, 'usage_posting is append-only'); end;
CREATE TRIGGER "event_batch_no_update" before update on "event_batch"
        begin select raise(abort, 'event_batch is append-only'); end;
CREATE TRIGGER "event_batch_no_delete" before delete on "event_batch"
        begin select raise(abort, 'event_batch is append-only'); end;
CREATE TRIGGER "reading_batch_no_update" before update on "reading_batch"
        begin select raise(abort, 'reading_batch is append-only'); end;
CREATE TRIGGER "reading_batch_no_delete" before delete on "reading_batch"
        begin select raise(abort, 'reading_batch is append-only'); end;
