-- A store as 0.1.0 before schema 2 made it, with rows. The first step of src/store/schema.c is never changed; nor is this.
CREATE TABLE webhooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  state INTEGER NOT NULL,
  wait INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  received INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  lookups INTEGER NOT NULL DEFAULT 0,
  read INTEGER NOT NULL,
  transition INTEGER NOT NULL,
  conversation TEXT,
  customer TEXT,
  result TEXT) STRICT;
CREATE INDEX webhooks_state ON webhooks (state, wait, ended);
CREATE INDEX webhooks_conversation ON webhooks (source, conversation, wait) WHERE state = 0 AND conversation IS NOT NULL;
CREATE INDEX webhooks_customer ON webhooks (source, customer, wait) WHERE state = 0 AND customer IS NOT NULL;
CREATE INDEX webhooks_wait ON webhooks (wait, source) WHERE state = 0 AND wait > 0;
CREATE INDEX webhooks_due ON webhooks (not_before) WHERE state = 0 AND not_before > 0;
CREATE TABLE webhook_bodies (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL,
  query TEXT NOT NULL,
  headers BLOB NOT NULL,
  delivery BLOB NOT NULL,
  body BLOB NOT NULL) STRICT;
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  digest BLOB NOT NULL,
  received INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX deliveries_digest ON deliveries (source, digest);
CREATE TABLE conversations (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  conversation TEXT NOT NULL,
  state INTEGER NOT NULL,
  as_of INTEGER NOT NULL,
  first_opened INTEGER NOT NULL,
  opened INTEGER NOT NULL,
  opened_received INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  reopen_count INTEGER NOT NULL,
  addressed INTEGER NOT NULL,
  taken BLOB NOT NULL,
  changed INTEGER NOT NULL,
  clear INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX conversations_name ON conversations (source, conversation);
CREATE INDEX conversations_open ON conversations (source, opened_received) WHERE state = 1;
CREATE INDEX conversations_age ON conversations (opened) WHERE state = 1;
CREATE INDEX conversations_changed ON conversations (clear, changed) WHERE state <> 1;
CREATE TABLE reached (
  id INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL,
  account TEXT NOT NULL,
  email TEXT,
  digest BLOB,
  flag TEXT NOT NULL,
  open INTEGER NOT NULL) STRICT;
CREATE INDEX reached_conversation ON reached (conversation);
CREATE INDEX reached_open ON reached (email, account, flag) WHERE open = 1;
CREATE TABLE customers (
  source TEXT NOT NULL,
  customer TEXT NOT NULL,
  saved INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (source, customer)) STRICT, WITHOUT ROWID;
CREATE INDEX customers_saved ON customers (saved);
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account TEXT NOT NULL,
  email TEXT NOT NULL,
  state INTEGER NOT NULL,
  head INTEGER NOT NULL,
  due INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  later INTEGER NOT NULL DEFAULT 0,
  gap INTEGER NOT NULL,
  created INTEGER NOT NULL,
  unique_id BLOB NOT NULL,
  url TEXT NOT NULL,
  reason TEXT) STRICT;
CREATE UNIQUE INDEX events_unique ON events (account, unique_id);
CREATE INDEX events_person ON events (account, email, state, ended);
CREATE INDEX events_state ON events (state, ended);
CREATE INDEX events_due ON events (account, due) WHERE state = 0 AND head = 1;
CREATE INDEX events_url ON events (account, url) WHERE state = 0;
CREATE TABLE event_bodies (
  id INTEGER PRIMARY KEY,
  metric TEXT NOT NULL,
  source TEXT NOT NULL,
  conversation TEXT,
  webhook INTEGER NOT NULL,
  transition INTEGER NOT NULL,
  time INTEGER NOT NULL,
  received INTEGER NOT NULL,
  late INTEGER NOT NULL,
  backfill INTEGER NOT NULL,
  value REAL,
  profile TEXT NOT NULL,
  properties TEXT NOT NULL) STRICT;
CREATE TABLE counts (
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  state INTEGER NOT NULL,
  wait INTEGER NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (kind, name, state, wait)) STRICT, WITHOUT ROWID;

-- Two conversations of the source lumen: one is open and reached an address; of the other the newest signal came without
-- a time, so that its as_of is a receipt.
INSERT INTO conversations (id, source, conversation, state, as_of, first_opened, opened, opened_received, closed, reopen_count,
  addressed, taken, changed, clear) VALUES
  (1, 'lumen', 'open-1', 1, 1795276700000, 1795276700000, 1795276700000, 1795276700500, 0, 0, 1, X'016079d4fea1010000', 1795276700500, 1),
  (2, 'lumen', 'closed-2', 2, 1795276760000, 1795276700000, 1795276700000, 1795276700500, 1795276760000, 0, 1, X'016079d4fea101000003c063d5fea1010000', 1795276760000, 1);
INSERT INTO reached (id, conversation, account, email, digest, flag, open) VALUES
  (1, 1, 'default', 'jo@example.com', NULL, 'In Lumen Conversation', 1),
  (2, 2, 'default', 'sam@example.com', NULL, 'In Lumen Conversation', 0);
INSERT INTO customers (source, customer, saved, text) VALUES ('lumen', 'cust-1', 1795276700000, '{}');
INSERT INTO counts (kind, name, state, wait, n) VALUES (2, 'lumen', 1, 0, 1);
PRAGMA application_id = 1685285730;
PRAGMA user_version = 1;
