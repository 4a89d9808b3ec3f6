# SPDX-License-Identifier: MIT
"""A damaged store: its indexes name rows that do not exist, or rows hold values that SQLite refuses. Only the damaged
row is set aside, with one log line, and all other work continues."""

import contextlib
import hashlib
import json
import sqlite3

import pytest

from harness import gladly_webhook, wait_for

CLOSED = "closed conversation in Gladly"
PEOPLE = 6


def store_of(daemon):
    return daemon.dir / "deskbridge.db"


def key_of(*texts):
    """The key of texts, or of a blob, in the table `keys` (doc/store.md)."""
    whole = b"\0".join(text if isinstance(text, bytes) else text.encode() for text in texts)
    return int.from_bytes(hashlib.sha256(whole).digest()[:8], "big", signed=True)


def key_of_event(unique_id):
    """The key of the column `unique_id`: the time in seconds, then three bytes of the unique_id."""
    seconds = (int.from_bytes(unique_id[:8], "big") - 2**63) // 1000
    return seconds << 24 | int.from_bytes(unique_id[8:11], "big")


def sql(daemon, *statements):
    with contextlib.closing(sqlite3.connect(store_of(daemon), isolation_level=None)) as store:
        store.create_function("key_of", -1, key_of)
        store.create_function("key_of_event", 1, key_of_event)
        return [store.execute(statement).fetchall() for statement in statements]


def behind_the_back_of_indexes(daemon, table, *statements, name="%"):
    """Runs the statements so that the table's indexes (or only that of this name) are not updated, as in a damaged
    file."""
    path = store_of(daemon)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as store:
        hidden = store.execute(
            "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?"
            " AND sql IS NOT NULL AND name LIKE ?",
            [table, name],
        ).fetchall()
        store.execute("PRAGMA writable_schema = 1")
        store.executemany("DELETE FROM sqlite_schema WHERE name = ?", [[row[1]] for row in hidden])
    assert hidden
    sql(daemon, *statements)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("PRAGMA writable_schema = 1")
        store.executemany("INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)", hidden)


def keys_to_the_disk(daemon, kind, entries):
    """Writes entries of this kind to the table `keys`, and that all rows have theirs there. entries: a query of ids and
    keys."""
    sql(
        daemon,
        f"INSERT INTO keys (kind, id, key) SELECT {kind}, * FROM ({entries})",
        f"INSERT OR REPLACE INTO key_states SELECT kind, max(id), max(id) FROM keys WHERE kind = {kind} GROUP BY kind",
    )


def is_sound(daemon):
    return sql(daemon, "PRAGMA integrity_check")[0] == [("ok",)]


def lines(daemon, *words):
    return [line for line in daemon.log() if all(word in line for word in words)]


def stays_ready_and_idle(daemon):
    """Fails unless the daemon is ready, has answered no 503 and commits nothing more: a daemon without work does not
    commit."""
    assert daemon.api("/readyz").status == 200
    assert not lines(daemon, "cannot commit"), daemon.report()


@pytest.fixture
def held(stage, sandbox, gladly):
    """A stopped daemon with an opening of each of six people, whose lookups have not been answered."""
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(PEOPLE)}
    gladly.down()
    daemon = stage.daemon(sandbox, gladly)
    for n in range(PEOPLE):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    assert daemon.stop() == 0
    return daemon


@pytest.mark.parametrize("name", ["webhooks_state", "webhooks_conversation", "webhooks_customer", "webhooks_wait", "webhooks_due"])
@pytest.mark.parametrize("wait", [0, 2, 4], ids=["ready", "retry", "slot"])
def test_a_webhook_that_one_index_names_stops_nobody(held, sandbox, gladly, wait, name):
    """The index is created again as the last one, which changes SQLite's choice of indexes."""
    due = 1 if wait == 2 else 0
    sql(held, f"UPDATE webhooks SET wait = {wait}, not_before = {due} WHERE id = 3")
    behind_the_back_of_indexes(held, "webhooks", "DELETE FROM webhooks WHERE id = 3", name=name)
    gladly.up()
    held.restart()
    sandbox.wait_for(lambda s: len(s.events()) == PEOPLE - 1, timeout=40)
    held.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(1, email="jo-2@example.com")
    stays_ready_and_idle(held)


@pytest.mark.parametrize("wait", [0, 2, 3, 4, 5, 6, 7], ids=["ready", "retry", "lookup", "slot", "behind", "unconfigured", "parked"])
def test_a_webhook_that_only_indexes_name_is_a_dead_letter_and_the_others_go_on(held, sandbox, gladly, wait):
    due = 1 if wait == 2 else 0
    sql(held, f"UPDATE webhooks SET wait = {wait}, not_before = {due} WHERE id = 3")
    behind_the_back_of_indexes(held, "webhooks", "DELETE FROM webhooks WHERE id = 3")
    assert not is_sound(held)
    gladly.up()
    held.restart()
    sandbox.wait_for(lambda s: len(s.events()) == PEOPLE - 1, timeout=40)
    # Later webhooks of its conversation and its customer are processed.
    held.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(1, email="jo-2@example.com")
    if wait != 5:  # the webhook before it never ends, so this one is never read
        held.wait_log("a webhook became a dead letter.*0000000000000003")
        assert len(lines(held, "0000000000000003", "dead letter")) == 1
    stays_ready_and_idle(held)
    assert held.stop() == 0
    (row,) = sql(held, "SELECT state, result FROM webhooks WHERE id = 3") if wait != 5 else [[]]
    assert wait == 5 or (row[0][0] == 2 and "not there" in row[0][1])


def test_a_webhook_whose_body_is_not_there_is_a_dead_letter(held, sandbox, gladly):
    sql(held, "DELETE FROM webhook_bodies WHERE id IN (2, 5)")
    gladly.up()
    held.restart()
    sandbox.wait_for(lambda s: len(s.events()) == PEOPLE - 2, timeout=40)
    for n in (2, 5):
        held.wait_log(f"a webhook became a dead letter.*{n:016x}")
        assert len(lines(held, f"{n:016x}", "dead letter")) == 1
    stays_ready_and_idle(held)


@pytest.mark.parametrize("name", ["webhooks_conversation", "webhooks_customer", "webhooks_wait"])
def test_a_row_that_an_index_does_not_name_ends_all_the_same(held, sandbox, gladly, name):
    """The webhook waits for a time. A webhook that waits for a free slot would be found by the index webhooks_wait
    only."""
    sql(held, "UPDATE webhooks SET wait = 2, not_before = 1 WHERE id = 4")
    row = sql(held, "SELECT * FROM webhooks WHERE id = 4")[0][0]
    sql(held, "DELETE FROM webhooks WHERE id = 4")
    values = ", ".join("NULL" if v is None else repr(v) for v in row)
    behind_the_back_of_indexes(held, "webhooks", f"INSERT INTO webhooks VALUES ({values})", name=name)
    sql(held, "UPDATE webhooks SET wait = 0 WHERE id <> 4")
    gladly.up()
    held.restart()
    sandbox.wait_for(lambda s: len(s.events()) >= PEOPLE - 1, timeout=40)
    held.accepted("gladly", gladly_webhook("opened", "conv-new", "cust-3"))
    sandbox.wait_events(1, email="jo-3@example.com")
    stays_ready_and_idle(held)


@pytest.mark.parametrize("wait", [0, 2, 3, 4, 6, 7], ids=["ready", "retry", "lookup", "slot", "unconfigured", "parked"])
def test_an_undone_webhook_with_a_time_at_which_it_ended_goes_on(held, sandbox, gladly, wait):
    due = 1 if wait == 2 else 0
    sql(held, f"UPDATE webhooks SET wait = {wait}, not_before = {due}, ended = 2147483648 WHERE id = 3")
    gladly.up()
    held.restart()
    sandbox.wait_for(lambda s: len(s.events()) == PEOPLE, timeout=40)
    stays_ready_and_idle(held)
    assert held.stop() == 0
    assert is_sound(held)


def test_a_webhook_that_an_index_names_as_undone_and_that_is_done_is_left_done(stage, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(PEOPLE)}
    daemon = stage.daemon(sandbox, gladly)
    for n in range(PEOPLE):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    sandbox.wait_events(PEOPLE)
    assert daemon.stop() == 0
    row = sql(daemon, "SELECT state, ended, result FROM webhooks WHERE id = 2")[0][0]
    sql(daemon, "UPDATE webhooks SET state = 0, ended = 0 WHERE id = 2")
    behind_the_back_of_indexes(daemon, "webhooks", f"UPDATE webhooks SET state = 1, ended = {row[1]} WHERE id = 2")
    daemon.restart()
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1"))
    sandbox.wait_events(1, metric=CLOSED)
    stays_ready_and_idle(daemon)
    assert daemon.stop() == 0
    assert sql(daemon, "SELECT state, ended, result FROM webhooks WHERE id = 2")[0][0] == row
    assert len(sandbox.all_events()) == PEOPLE + 1


def test_those_that_waited_behind_a_webhook_that_was_deleted_by_hand_go_on(held, sandbox, gladly):
    """conv-0 gets two more webhooks. The first waits behind webhook 1, which is deleted. The second makes both be
    processed."""
    gladly.down()
    held.restart()
    held.accepted("gladly", gladly_webhook("closed", "conv-0", "cust-0"))
    wait_for(lambda: held.metric("deskbridge_webhooks_pending") == PEOPLE + 1)
    assert held.stop() == 0
    sql(held, "UPDATE webhooks SET wait = 5, not_before = 0 WHERE id = 7", "DELETE FROM webhooks WHERE id = 1")
    gladly.up()
    held.restart()
    held.accepted("gladly", gladly_webhook("opened", "conv-0", "cust-0"))
    sandbox.wait_events(2, email="jo-0@example.com")
    assert held.stop() == 0
    assert sql(held, "SELECT count(*) FROM webhooks WHERE state = 0 AND conversation = 'conv-0'") == [[(0,)]]


# ---- events


@pytest.fixture
def queued(stage, sandbox, gladly):
    """A stopped daemon with an opening and a closing of each of six people, none of them sent."""
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(PEOPLE)}
    daemon = stage.daemon(sandbox, gladly, config={"klaviyo": {"hold": True}})
    for n in range(PEOPLE):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
        daemon.accepted("gladly", gladly_webhook("closed", f"conv-{n}", f"cust-{n}"))
    daemon.wait_metric("deskbridge_queue_events", 2 * PEOPLE, account="default", state="ready")
    assert daemon.stop() == 0
    daemon.configure({"klaviyo": {"hold": False}})
    return daemon


def first_event_of(daemon, email):
    return sql(daemon, f"SELECT min(id) FROM events WHERE email = '{email}'")[0][0][0]


def second_event_of(daemon, email):
    return sql(daemon, f"SELECT max(id) FROM events WHERE email = '{email}'")[0][0][0]


def test_an_event_that_only_indexes_name_is_a_dead_letter_and_the_others_go_on(queued, sandbox):
    lost = first_event_of(queued, "jo-2@example.com")
    behind_the_back_of_indexes(queued, "events", f"DELETE FROM events WHERE id = {lost}")
    queued.restart()
    sandbox.wait_for(lambda s: len(s.events()) == 2 * PEOPLE - 1, timeout=40)
    queued.wait_log(f"an event became a dead letter.*{lost:016x}")
    (line,) = lines(queued, f"event={lost:016x}")
    assert "default" in line and "not there" in line
    # The second event of that person is delivered, too.
    assert len(sandbox.events(metric=CLOSED, email="jo-2@example.com")) == 1
    # A later event of that person is delivered.
    queued.accepted("gladly", gladly_webhook("opened", "conv-new", "cust-2"))
    sandbox.wait_for(lambda s: len(s.events()) == 2 * PEOPLE, timeout=40)
    stays_ready_and_idle(queued)
    (dead,) = json.loads(queued.ask("queue", "list", "--state", "dead", "--json").stdout)
    assert "not there" in dead["reason"]


def test_an_event_that_waits_behind_and_is_not_there_does_not_keep_its_person(queued, sandbox):
    lost = second_event_of(queued, "jo-2@example.com")
    behind_the_back_of_indexes(queued, "events", f"DELETE FROM events WHERE id = {lost}")
    queued.restart()
    sandbox.wait_for(lambda s: len(s.events()) == 2 * PEOPLE - 1, timeout=40)
    queued.accepted("gladly", gladly_webhook("opened", "conv-new", "cust-2"))
    sandbox.wait_for(lambda s: len(s.events()) == 2 * PEOPLE, timeout=40)
    stays_ready_and_idle(queued)


@pytest.mark.parametrize("what", ["profile = '{\"half'", "properties = '[]'"])
def test_an_event_that_does_not_read_is_logged_with_account_and_reason(queued, sandbox, what):
    bad = first_event_of(queued, "jo-1@example.com")
    sql(queued, f"UPDATE event_bodies SET {what} WHERE id = {bad}")
    queued.restart()
    sandbox.wait_for(lambda s: len(s.events()) == 2 * PEOPLE - 1, timeout=40)
    queued.wait_log(f"an event became a dead letter.*{bad:016x}")
    (line,) = lines(queued, f"event={bad:016x}")
    assert "default" in line and "does not read" in line


def test_an_event_without_its_body_is_a_dead_letter(queued, sandbox):
    bad = first_event_of(queued, "jo-1@example.com")
    sql(queued, f"DELETE FROM event_bodies WHERE id = {bad}")
    queued.restart()
    sandbox.wait_for(lambda s: len(s.events()) == 2 * PEOPLE - 1, timeout=40)
    queued.wait_log(f"an event became a dead letter.*{bad:016x}")
    stays_ready_and_idle(queued)


@pytest.mark.parametrize("name", ["%", "events_due", "keys"])
@pytest.mark.parametrize("column", ["account", "email"])
def test_an_event_of_another_person_than_an_index_says_does_not_keep_that_person(queued, sandbox, column, name):
    other = first_event_of(queued, "jo-2@example.com")
    change = f"UPDATE events SET {column} = 'x' WHERE id = {other}"
    if name == "keys":
        keys_to_the_disk(queued, 4, "SELECT id, key_of(account, email) FROM events")
        sql(queued, change)
    else:
        behind_the_back_of_indexes(queued, "events", change, name=name)
    queued.restart()
    sandbox.wait_for(lambda s: len(s.events()) >= 2 * (PEOPLE - 1), timeout=40)
    queued.accepted("gladly", gladly_webhook("opened", "conv-new", "cust-2"))
    sandbox.wait_for(
        lambda s: [e for e in s.events(email="jo-2@example.com") if e["properties"]["Conversation ID"] == "conv-new"],
        timeout=40,
    )
    sandbox.wait_events(1, email="jo-2@example.com", metric=CLOSED)
    stays_ready_and_idle(queued)


def test_an_event_that_was_deleted_by_hand_does_not_keep_its_person(queued, sandbox):
    sql(queued, f"DELETE FROM events WHERE id = {first_event_of(queued, 'jo-1@example.com')}")
    queued.restart()
    sandbox.wait_for(lambda s: len(s.events()) == 2 * PEOPLE - 2, timeout=40)
    queued.accepted("gladly", gladly_webhook("opened", "conv-new", "cust-1"))
    sandbox.wait_for(lambda s: len(s.events()) == 2 * PEOPLE, timeout=40)


@pytest.mark.parametrize("on_the_disk", [False, True], ids=["", "keys-on-the-disk"])
def test_a_unique_id_without_its_event_does_not_swallow_the_event(stage, sandbox, gladly, on_the_disk):
    """The event's row does not exist, and indexes name it. The event is queued again."""
    gladly.customers = {"cust-1": ["jo@example.com"]}
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    sandbox.wait_events(1)
    daemon.wait_metric("deskbridge_queue_events", 1, account="default", state="delivered")
    assert daemon.stop() == 0
    if on_the_disk:
        keys_to_the_disk(daemon, 3, "SELECT id, key_of_event(unique_id) FROM events")
    behind_the_back_of_indexes(daemon, "events", "DELETE FROM events")
    sql(daemon, "DELETE FROM conversations", "UPDATE webhooks SET state = 0, ended = 0, result = NULL")
    daemon.restart()
    sandbox.wait_for(lambda s: s.stats()["duplicates"] == 1, timeout=40)
    stays_ready_and_idle(daemon)


# ---- conversations, whom they reached, customers, deliveries, counts


@pytest.fixture
def opened(stage, sandbox, gladly):
    """A stopped daemon with an open conversation of each of six people, whose openings were delivered."""
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(PEOPLE)}
    daemon = stage.daemon(sandbox, gladly)
    for n in range(PEOPLE):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    sandbox.wait_events(PEOPLE)
    daemon.wait_metric("deskbridge_queue_events", PEOPLE, account="default", state="delivered")
    assert daemon.stop() == 0
    return daemon


def all_close(daemon, sandbox):
    """Closes all conversations and waits for the events."""
    for n in range(PEOPLE):
        daemon.accepted("gladly", gladly_webhook("closed", f"conv-{n}", f"cust-{n}"))
    sandbox.wait_for(lambda s: len(s.events(metric=CLOSED)) == PEOPLE, timeout=40)
    wait_for(lambda: daemon.metric("deskbridge_queue_events", account="default", state="ready") == 0)
    stays_ready_and_idle(daemon)


@pytest.mark.parametrize("on_the_disk", [False, True], ids=["", "keys-on-the-disk"])
def test_a_conversation_that_only_indexes_name_is_a_new_one(opened, sandbox, on_the_disk):
    if on_the_disk:
        keys_to_the_disk(opened, 1, "SELECT id, key_of(source, conversation) FROM conversations")
        keys_to_the_disk(opened, 2, "SELECT id, key_of(people) FROM conversations")
    behind_the_back_of_indexes(opened, "conversations", "DELETE FROM conversations WHERE conversation = 'conv-2'")
    opened.restart()
    assert opened.ask("status").returncode == 0
    all_close(opened, sandbox)
    assert opened.stop() == 0
    assert sql(opened, "SELECT state, count(*) FROM conversations GROUP BY state") == [[(2, PEOPLE)]]


def test_a_conversation_of_another_name_than_its_key_says_is_not_that_one(opened, sandbox):
    """Both keys are on the disk, and each names the row of the other conversation."""
    keys_to_the_disk(opened, 1, "SELECT CASE WHEN id IN (1, 2) THEN 3 - id ELSE id END, key_of(source, conversation) FROM conversations")
    opened.restart()
    all_close(opened, sandbox)
    assert opened.stop() == 0
    # What was not found began anew.
    assert sql(opened, "SELECT conversation, count(*) FROM conversations GROUP BY conversation HAVING count(*) > 1") == [
        [("conv-0", 2), ("conv-1", 2)]
    ]


BUILT_ANEW = "the index of keys was damaged; it was built anew from the rows"


def spoil_root(daemon, table):
    ((page,),), ((size,),) = sql(daemon, f"SELECT rootpage FROM sqlite_schema WHERE name = '{table}'", "PRAGMA page_size")
    with open(store_of(daemon), "r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))


@pytest.mark.parametrize("damage", ["keys", "key_states", "deleted"])
def test_a_damaged_index_of_keys_is_built_anew_from_the_rows(opened, sandbox, damage):
    keys_to_the_disk(opened, 1, "SELECT id, key_of(source, conversation) FROM conversations")
    keys_to_the_disk(opened, 2, "SELECT id, key_of(people) FROM conversations")
    if damage == "deleted":  # some entries are gone, as after .recover; doc/store.md
        sql(opened, "DELETE FROM keys WHERE id > 3", "DELETE FROM key_states", "DELETE FROM keys")
    else:
        spoil_root(opened, damage)
    opened.restart()
    if damage != "deleted":
        opened.wait_log(BUILT_ANEW)
    # Another conversation of that person counts the open ones.
    opened.accepted("gladly", gladly_webhook("opened", "conv-more", "cust-5"))
    all_close(opened, sandbox)
    assert sandbox.profiles()["jo-5@example.com"]["In Gladly Conversation"] is True
    assert sandbox.profiles()["jo-4@example.com"]["In Gladly Conversation"] is False
    assert len(lines(opened, BUILT_ANEW)) == (damage != "deleted")
    assert opened.stop() == 0
    assert is_sound(opened) or damage != "deleted"
    assert sql(opened, "SELECT state, count(*) FROM conversations GROUP BY state") == [[(1, 1), (2, PEOPLE)]]


def test_whom_a_conversation_reached_may_be_gone(opened, sandbox):
    sql(opened, "UPDATE conversations SET people = x'' WHERE conversation = 'conv-2'")
    opened.restart()
    assert opened.ask("status").returncode == 0
    # Another conversation of that person counts the open ones.
    opened.accepted("gladly", gladly_webhook("opened", "conv-more", "cust-2"))
    sandbox.wait_for(lambda s: len(s.events()) == PEOPLE + 1, timeout=40)
    for n in range(PEOPLE):
        opened.accepted("gladly", gladly_webhook("closed", f"conv-{n}", f"cust-{n}"))
    sandbox.wait_for(lambda s: len(s.events(metric=CLOSED)) >= PEOPLE - 1, timeout=40)
    wait_for(lambda: opened.metric("deskbridge_webhooks_pending") == 0)
    stays_ready_and_idle(opened)


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE conversations SET taken = x'ff' WHERE conversation = 'conv-2'",
        "UPDATE conversations SET addressed = 7 WHERE conversation = 'conv-2'",
        "UPDATE conversations SET reopen_count = -1 WHERE conversation = 'conv-2'",
        "UPDATE conversations SET people = x'ff' WHERE conversation = 'conv-2'",
        "DELETE FROM key_states; DELETE FROM keys",
        "INSERT INTO keys SELECT 2, key_of(people), 9 - id FROM conversations",
        "INSERT INTO keys SELECT 2, key_of(people), 9 - id FROM conversations; INSERT INTO key_states VALUES (2, 6, 6)",
        "INSERT INTO keys VALUES (2, -1, 3), (2, 0, 99), (9, 0, 0)",
        "INSERT INTO key_states VALUES (2, 99, 99), (9, 0, 0)",
        "INSERT INTO key_states VALUES (0, 1, 0)",
        "DELETE FROM customers",
        "UPDATE customers SET text = 'no'",
        "UPDATE counts SET n = 9223372036854775807",
        "UPDATE counts SET n = -9223372036854775807",
        "DELETE FROM counts",
        "DELETE FROM deliveries",
        "DELETE FROM last_ids",
        "INSERT INTO last_ids VALUES ('events', 9), ('x', 7)",
        "INSERT INTO webhook_bodies VALUES (7, '', '', x'', x'', x''), (8, '', '', x'', x'', x'')",
        "INSERT INTO deliveries VALUES (7, 'x', x'00', 0), (8, 'x', x'01', 0)",
        "INSERT INTO event_bodies SELECT 7, metric, source, conversation, webhook, transition, time, received, late,"
        " backfill, value, profile, properties FROM event_bodies LIMIT 1",
    ],
)
def test_the_others_close_whatever_a_row_holds(opened, sandbox, spoil):
    sql(opened, *spoil.split("; "))
    opened.restart()
    for n in range(PEOPLE):
        opened.accepted("gladly", gladly_webhook("closed", f"conv-{n}", f"cust-{n}"))
    told = [n for n in range(PEOPLE) if n != 2]
    sandbox.wait_for(lambda s: all(s.events(metric=CLOSED, email=f"jo-{n}@example.com") for n in told), timeout=40)
    opened.accepted("gladly", gladly_webhook("opened", "conv-new", "cust-0"))
    sandbox.wait_for(lambda s: len(s.events(email="jo-0@example.com")) == 3, timeout=40)
    stays_ready_and_idle(opened)


def test_expiry_passes_over_a_conversation_that_cannot_be_read(opened, sandbox):
    sql(opened, "UPDATE conversations SET taken = x'ff' WHERE conversation = 'conv-2'")
    behind_the_back_of_indexes(opened, "conversations", "DELETE FROM conversations WHERE conversation = 'conv-3'")
    opened.configure({"sources": {"gladly": {"expire_after": "1s"}}})
    opened.restart()
    sandbox.wait_for(lambda s: len(s.events(metric=CLOSED)) == PEOPLE - 2, timeout=40)
    wait_for(lambda: lines(opened, "an expired conversation was closed without an event"))
    assert len(lines(opened, "an expired conversation was closed without an event")) == 1
    assert len(lines(opened, "not there")) == 1
    stays_ready_and_idle(opened)


@pytest.mark.parametrize("table", ["webhooks", "events", "conversations", "customers", "deliveries"])
def test_a_table_without_rows_and_its_indexes_full_goes_on(opened, sandbox, table):
    behind_the_back_of_indexes(opened, table, f"DELETE FROM {table}")
    opened.configure({"store": {"url": f"sqlite:{store_of(opened)}", "retention": "1s", "remember": "1s"}})
    opened.restart()
    for n in range(PEOPLE):
        opened.accepted("gladly", gladly_webhook("opened", f"next-{n}", f"cust-{n}"))
    sandbox.wait_for(lambda s: len(s.events()) == 2 * PEOPLE, timeout=40)
    stays_ready_and_idle(opened)
