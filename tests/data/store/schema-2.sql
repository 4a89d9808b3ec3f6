-- A store as 0.1.0 with schema 2 made it at 2026-11-29T20:24:01Z, of the source lumen with `settle: {open: 1h, close: 1h}`. What is
-- pending: a closing of open-1 that is held; of held-2 an opening that is held and one BEHIND it; of held-3 one without a time
-- that is held. Nothing in it is ever changed.
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
INSERT INTO "conversations" VALUES(1,'lumen','open-1',1,1795976640000,1795976640000,1795976640000,1795983840928,0,0,1,X'0100B68C28A2010000',1795983840928,1);
CREATE TABLE counts (
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  state INTEGER NOT NULL,
  wait INTEGER NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (kind, name, state, wait)) STRICT, WITHOUT ROWID;
INSERT INTO "counts" VALUES(1,'lumen',0,1,3);
INSERT INTO "counts" VALUES(1,'lumen',0,5,1);
INSERT INTO "counts" VALUES(1,'lumen',1,0,1);
INSERT INTO "counts" VALUES(2,'lumen',1,0,1);
INSERT INTO "counts" VALUES(3,'default',0,0,1);
CREATE TABLE customers (
  source TEXT NOT NULL,
  customer TEXT NOT NULL,
  saved INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (source, customer)) STRICT, WITHOUT ROWID;
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  digest BLOB NOT NULL,
  received INTEGER NOT NULL) STRICT;
INSERT INTO "deliveries" VALUES(1,'lumen',X'01BBC16FFBEA4FD304C32D518682003A',1795983840928);
INSERT INTO "deliveries" VALUES(2,'lumen',X'CFEE718BE119E4435BC8BEC02BF40591',1795983841231);
INSERT INTO "deliveries" VALUES(3,'lumen',X'E0F6084A8DF7B4C590D8FD44AC87B421',1795983841232);
INSERT INTO "deliveries" VALUES(4,'lumen',X'5F755DFA1AC4FA38FAF619666EFAE281',1795983841234);
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
INSERT INTO "event_bodies" VALUES(1,'started conversation in Lumen','lumen','open-1',1,1,1795976640000,1795983840928,900000,0,NULL,'{"In Lumen Conversation":true}','{"Helpdesk":"Lumen","Conversation ID":"open-1","Opened At":"2026-11-29T18:24:00Z","Reopen Count":0,"Open Conversations":1,"Event ID":"6b76e0ccdd47fefc123e6b517a160155"}');
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
INSERT INTO "events" VALUES(1,'default','jo@example.com',0,1,1795983842412,0,2,0,2000,1795983840928,X'6B76E0CCDD47FEFC123E6B517A160155','http://127.0.0.1:9','Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn''t connect to server');
CREATE TABLE lookup_answers (
  id INTEGER PRIMARY KEY,
  gone INTEGER NOT NULL,
  odd INTEGER NOT NULL,
  odd_since INTEGER NOT NULL) STRICT;
CREATE TABLE lookups_worked (
  source TEXT NOT NULL PRIMARY KEY,
  mark BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE marks (
  conversation INTEGER PRIMARY KEY,
  as_of_received INTEGER NOT NULL,
  newest INTEGER NOT NULL) STRICT;
INSERT INTO "marks" VALUES(1,0,1);
CREATE TABLE reached (
  id INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL,
  account TEXT NOT NULL,
  email TEXT,
  digest BLOB,
  flag TEXT NOT NULL,
  open INTEGER NOT NULL) STRICT;
INSERT INTO "reached" VALUES(1,1,'default','jo@example.com',NULL,'In Lumen Conversation',1);
CREATE TABLE webhook_bodies (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL,
  query TEXT NOT NULL,
  headers BLOB NOT NULL,
  delivery BLOB NOT NULL,
  body BLOB NOT NULL) STRICT;
INSERT INTO "webhook_bodies" VALUES(1,'/webhooks/lumen','',X'',X'01BBC16FFBEA4FD304C32D518682003A',X'7B226576656E74223A202263726561746564222C20226964223A20226F70656E2D31222C2022656D61696C223A20226A6F406578616D706C652E636F6D222C20226174223A2022323032362D31312D32395431383A32343A30305A227D');
INSERT INTO "webhook_bodies" VALUES(2,'/webhooks/lumen','',X'',X'CFEE718BE119E4435BC8BEC02BF40591',X'7B226576656E74223A2022636C6F736564222C20226964223A20226F70656E2D31222C2022656D61696C223A20226A6F406578616D706C652E636F6D222C20226174223A2022323032362D31312D32395432303A32333A35305A227D');
INSERT INTO "webhook_bodies" VALUES(3,'/webhooks/lumen','',X'',X'E0F6084A8DF7B4C590D8FD44AC87B421',X'7B226576656E74223A202263726561746564222C20226964223A202268656C642D32222C2022656D61696C223A20226A6F406578616D706C652E636F6D222C20226174223A2022323032362D31312D32395432303A32333A30305A227D');
INSERT INTO "webhook_bodies" VALUES(4,'/webhooks/lumen','',X'',X'5F755DFA1AC4FA38FAF619666EFAE281',X'7B226576656E74223A202263726561746564222C20226964223A202268656C642D32222C2022656D61696C223A20226A6F406578616D706C652E636F6D222C20226174223A2022323032362D31312D32395432303A32333A33305A227D');
INSERT INTO "webhook_bodies" VALUES(5,'/webhooks/lumen','',X'',X'',X'7B226576656E74223A20227265706C79222C20226964223A202268656C642D33222C2022656D61696C223A20226A6F406578616D706C652E636F6D227D');
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
INSERT INTO "webhooks" VALUES(1,'lumen',1,0,0,1795983840928,1795983840928,0,0,1,1,'open-1',NULL,'events');
INSERT INTO "webhooks" VALUES(2,'lumen',0,1,1795987430000,0,1795983841231,0,0,1,3,'open-1',NULL,NULL);
INSERT INTO "webhooks" VALUES(3,'lumen',0,1,1795987380000,0,1795983841232,0,0,1,1,'held-2',NULL,NULL);
INSERT INTO "webhooks" VALUES(4,'lumen',0,5,0,0,1795983841234,0,0,1,1,'held-2',NULL,NULL);
INSERT INTO "webhooks" VALUES(5,'lumen',0,1,1795987441238,0,1795983841238,0,0,1,1,'held-3',NULL,NULL);
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
INSERT INTO "sqlite_sequence" VALUES('webhooks',5);
INSERT INTO "sqlite_sequence" VALUES('events',1);
PRAGMA application_id = 1685285730;
PRAGMA user_version = 2;
