-- A store as 0.1.0 with schema 8 made it: conversations that are open, closed, and closed past retention (a digest instead of the
-- address), with the people whom they reached, and for one of them a delivered, a dead and two ready events. Nothing in it is ever
-- changed.
CREATE TABLE webhooks (
  id INTEGER PRIMARY KEY,
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
  clear INTEGER NOT NULL,
  as_of_received INTEGER NOT NULL DEFAULT 0,
  newest INTEGER NOT NULL DEFAULT 0,
  people BLOB NOT NULL DEFAULT x'',
  digests BLOB NOT NULL DEFAULT x'') STRICT;
CREATE TABLE customers (
  source TEXT NOT NULL,
  customer TEXT NOT NULL,
  saved INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (source, customer)) STRICT, WITHOUT ROWID;
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
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
CREATE TABLE lookup_answers (
  id INTEGER PRIMARY KEY,
  gone INTEGER NOT NULL,
  odd INTEGER NOT NULL,
  odd_since INTEGER NOT NULL) STRICT;
CREATE TABLE lookups_worked (
  source TEXT NOT NULL PRIMARY KEY,
  mark BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE webhook_times (
  id INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  undated INTEGER NOT NULL) STRICT;
CREATE TABLE delivery_tail (
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL,
  source TEXT NOT NULL) STRICT;
CREATE TABLE delivery_index (
  generation INTEGER NOT NULL,
  digest BLOB NOT NULL,
  source TEXT NOT NULL,
  PRIMARY KEY (generation, digest, source)) STRICT, WITHOUT ROWID;
CREATE TABLE delivery_generations (
  generation INTEGER PRIMARY KEY,
  age INTEGER NOT NULL,
  seen INTEGER NOT NULL) STRICT;
CREATE TABLE last_ids (
  name TEXT NOT NULL PRIMARY KEY,
  id INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE open_people (
  person BLOB NOT NULL,
  conversation INTEGER NOT NULL,
  PRIMARY KEY (person, conversation)) STRICT, WITHOUT ROWID;
CREATE INDEX webhooks_state ON webhooks (state, wait, ended);
CREATE INDEX webhooks_conversation ON webhooks (source, conversation, wait) WHERE state = 0 AND conversation IS NOT NULL;
CREATE INDEX webhooks_customer ON webhooks (source, customer, wait) WHERE state = 0 AND customer IS NOT NULL;
CREATE INDEX webhooks_wait ON webhooks (wait, source) WHERE state = 0 AND wait > 0;
CREATE INDEX webhooks_due ON webhooks (not_before) WHERE state = 0 AND not_before > 0;
CREATE UNIQUE INDEX deliveries_digest ON deliveries (source, digest);
CREATE UNIQUE INDEX conversations_name ON conversations (source, conversation);
CREATE INDEX conversations_open ON conversations (source, opened_received) WHERE state = 1;
CREATE INDEX conversations_changed ON conversations (clear, changed) WHERE state <> 1;
CREATE INDEX customers_saved ON customers (saved);
CREATE UNIQUE INDEX events_unique ON events (account, unique_id);
CREATE INDEX events_due ON events (account, due) WHERE state = 0 AND head = 1;
CREATE INDEX events_url ON events (account, url) WHERE state = 0;
CREATE INDEX events_state ON events (state, ended) WHERE state > 0;
CREATE INDEX events_person ON events (account, email, state) WHERE state <> 1;
CREATE INDEX events_last ON events (account, email, ended) WHERE state = 1 AND gap > 0;
INSERT INTO conversations (id, source, conversation, state, as_of, first_opened, opened, opened_received, closed, reopen_count, addressed, taken, changed, clear, as_of_received, newest, people, digests) VALUES
  (1, 'lumen', 'open-1', 1, 1795276700000, 1795276700000, 1795276700000, 1795276700500, 0, 0, 1, X'016079d4fea1010000', 1795276700500, 1, 0, 11, X'006a6f406578616d706c652e636f6d0064656661756c7400496e204c756d656e20436f6e766572736174696f6e0000616c406578616d706c652e636f6d00657500496e20537570706f727400', X''),
  (2, 'lumen', 'open-2', 1, 1795276690000, 1795276690000, 1795276690000, 1795276700600, 0, 0, 1, X'', 1795276700600, 1, 1795276700600, 12, X'006a6f406578616d706c652e636f6d0064656661756c7400496e204c756d656e20436f6e766572736174696f6e00', X''),
  (3, 'lumen', 'closed-3', 2, 1795276760000, 1795276700000, 1795276700000, 1795276700500, 1795276760000, 2, 1, X'', 1795276760000, 1, 0, 0, X'0073616d406578616d706c652e636f6d0064656661756c7400496e204c756d656e20436f6e766572736174696f6e00', X''),
  (4, 'lumen', 'past-4', 2, 1795276760000, 1795276700000, 1795276700000, 1795276700500, 1795276760000, 0, 1, X'', 1795276760000, 0, 0, 0, X'', X'0037656161396131643933636338653336323837663739343732383932623661610064656661756c7400496e204c756d656e20436f6e766572736174696f6e00'),
  (6, 'lumen', 'empty-6', 1, 1795276700000, 1795276700000, 1795276700000, 1795276700700, 0, 0, 0, X'', 1795276700700, 0, 0, 14, X'', X'');
INSERT INTO events (id, account, email, state, head, due, ended, attempts, later, gap, created, unique_id, url, reason) VALUES
  (1, 'default', 'jo@example.com', 1, 0, 1795276700000, 1795276700000, 0, 0, 0, 1795276695000, X'800001a1fed465d801010101010101010101010101010101', 'https://a.klaviyo.com', NULL),
  (2, 'default', 'jo@example.com', 2, 0, 1795276700000, 0, 0, 0, 0, 1795276696000, X'800001a1fed469c002020202020202020202020202020202', 'https://a.klaviyo.com', '400'),
  (3, 'default', 'jo@example.com', 0, 1, 1795276700000, 0, 0, 0, 0, 1795276697000, X'800001a1fed46da803030303030303030303030303030303', 'https://a.klaviyo.com', NULL),
  (4, 'default', 'jo@example.com', 0, 0, 1795276700000, 0, 0, 0, 0, 1795276698000, X'800001a1fed4719004040404040404040404040404040404', 'https://a.klaviyo.com', NULL);
INSERT INTO event_bodies (id, metric, source, conversation, webhook, transition, time, received, late, backfill, value, profile, properties) VALUES
  (1, 'm', 'lumen', 'open-1', 8, 1, 1795276695000, 1795276695000, 0, 0, NULL, '{}', '{}'),
  (2, 'm', 'lumen', 'open-1', 8, 1, 1795276696000, 1795276696000, 0, 0, NULL, '{}', '{}'),
  (3, 'm', 'lumen', 'open-1', 8, 1, 1795276697000, 1795276697000, 0, 0, NULL, '{}', '{}'),
  (4, 'm', 'lumen', 'open-1', 8, 1, 1795276698000, 1795276698000, 0, 0, NULL, '{}', '{}');
INSERT INTO counts (kind, name, state, wait, n) VALUES
  (2, 'lumen', 1, 0, 3),
  (3, 'default', 0, 0, 2),
  (3, 'default', 1, 0, 1),
  (3, 'default', 2, 0, 1),
  (4, 'lumen', 1, 0, 1);
INSERT INTO delivery_generations (generation, age, seen) VALUES
  (1, 0, 1796047781531);
INSERT INTO open_people (person, conversation) VALUES
  (X'00616c406578616d706c652e636f6d00657500496e20537570706f727400', 1),
  (X'006a6f406578616d706c652e636f6d0064656661756c7400496e204c756d656e20436f6e766572736174696f6e00', 1),
  (X'006a6f406578616d706c652e636f6d0064656661756c7400496e204c756d656e20436f6e766572736174696f6e00', 2);
PRAGMA application_id = 1685285730;
PRAGMA user_version = 8;
