-- A store as 0.1.0 with schema 3 made it, with a delivered, a dead and two ready events of one person, and a ready one with another
-- URL. Nothing in it is ever changed.
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
  clear INTEGER NOT NULL) STRICT;
CREATE TABLE reached (
  id INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL,
  account TEXT NOT NULL,
  email TEXT,
  digest BLOB,
  flag TEXT NOT NULL,
  open INTEGER NOT NULL) STRICT;
CREATE TABLE customers (
  source TEXT NOT NULL,
  customer TEXT NOT NULL,
  saved INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (source, customer)) STRICT, WITHOUT ROWID;
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
INSERT INTO events VALUES(1,'default','jo@example.com',1,0,1795276700001,1795276700100,1,0,2000,1795276700001,X'01000000000000000000000000000000','https://a.klaviyo.com',NULL);
INSERT INTO events VALUES(2,'default','jo@example.com',2,0,1795276700100,0,0,0,2000,1795276700002,X'02000000000000000000000000000000','https://a.klaviyo.com','400 from Klaviyo');
INSERT INTO events VALUES(3,'default','jo@example.com',0,1,1795276700200,0,0,0,2000,1795276700003,X'03000000000000000000000000000000','https://a.klaviyo.com',NULL);
INSERT INTO events VALUES(4,'default','jo@example.com',0,0,1795276700004,0,0,0,2000,1795276700004,X'04000000000000000000000000000000','https://a.klaviyo.com',NULL);
INSERT INTO events VALUES(5,'default','mo@example.com',0,1,1795276700005,0,0,0,2000,1795276700005,X'05000000000000000000000000000000','http://127.0.0.1:9090',NULL);
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
INSERT INTO event_bodies VALUES(1,'started conversation in Lumen','lumen','c-1',1,1,1795276700000,1795276700001,900000,0,NULL,'{"In Lumen Conversation":true}','{"Helpdesk":"Lumen"}');
INSERT INTO event_bodies VALUES(2,'started conversation in Lumen','lumen','c-1',2,1,1795276700000,1795276700002,900000,0,NULL,'{"In Lumen Conversation":true}','{"Helpdesk":"Lumen"}');
INSERT INTO event_bodies VALUES(3,'started conversation in Lumen','lumen','c-1',3,1,1795276700000,1795276700003,900000,0,NULL,'{"In Lumen Conversation":true}','{"Helpdesk":"Lumen"}');
INSERT INTO event_bodies VALUES(4,'started conversation in Lumen','lumen','c-1',4,1,1795276700000,1795276700004,900000,0,NULL,'{"In Lumen Conversation":true}','{"Helpdesk":"Lumen"}');
INSERT INTO event_bodies VALUES(5,'started conversation in Lumen','lumen','c-1',5,1,1795276700000,1795276700005,900000,0,NULL,'{"In Lumen Conversation":true}','{"Helpdesk":"Lumen"}');
CREATE TABLE counts (
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  state INTEGER NOT NULL,
  wait INTEGER NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (kind, name, state, wait)) STRICT, WITHOUT ROWID;
INSERT INTO counts VALUES(3,'default',0,0,3);
INSERT INTO counts VALUES(3,'default',1,0,1);
INSERT INTO counts VALUES(3,'default',2,0,1);
CREATE TABLE marks (
  conversation INTEGER PRIMARY KEY,
  as_of_received INTEGER NOT NULL,
  newest INTEGER NOT NULL) STRICT;
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
INSERT INTO sqlite_sequence VALUES('events',5);
CREATE INDEX webhooks_state ON webhooks (state, wait, ended);
CREATE INDEX webhooks_conversation ON webhooks (source, conversation, wait) WHERE state = 0 AND conversation IS NOT NULL;
CREATE INDEX webhooks_customer ON webhooks (source, customer, wait) WHERE state = 0 AND customer IS NOT NULL;
CREATE INDEX webhooks_wait ON webhooks (wait, source) WHERE state = 0 AND wait > 0;
CREATE INDEX webhooks_due ON webhooks (not_before) WHERE state = 0 AND not_before > 0;
CREATE UNIQUE INDEX deliveries_digest ON deliveries (source, digest);
CREATE UNIQUE INDEX conversations_name ON conversations (source, conversation);
CREATE INDEX conversations_open ON conversations (source, opened_received) WHERE state = 1;
CREATE INDEX conversations_age ON conversations (opened) WHERE state = 1;
CREATE INDEX conversations_changed ON conversations (clear, changed) WHERE state <> 1;
CREATE INDEX reached_conversation ON reached (conversation);
CREATE INDEX reached_open ON reached (email, account, flag) WHERE open = 1;
CREATE INDEX customers_saved ON customers (saved);
CREATE UNIQUE INDEX events_unique ON events (account, unique_id);
CREATE INDEX events_person ON events (account, email, state, ended);
CREATE INDEX events_state ON events (state, ended);
CREATE INDEX events_due ON events (account, due) WHERE state = 0 AND head = 1;
CREATE INDEX events_url ON events (account, url) WHERE state = 0;
PRAGMA application_id = 1685285730;
PRAGMA user_version = 3;
