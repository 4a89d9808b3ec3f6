# SPDX-License-Identifier: MIT
"""Webhooks as helpdesks send them, and a small model of the events that must result.

    Model     the ledger's table (src/decision/ledger.h), written independently of the daemon
    Case      one conversation of one customer
    Webhook   one request of a desk, and its meaning
    DESKS     by name: the desks, which write webhooks about a conversation

Where a desk sends two kinds of webhooks about one change, its class returns both. Shapes, ids and the precision of
times are the desks' own; all values are made up. Only the standard library is used.
"""

import json
from datetime import datetime, timezone

from harness import iso

CLOCKS = 10  # seconds by which the clocks of a desk and of this machine may differ
DAY = 86400
VERBS = {"opened": "started", "reopened": "reopened", "closed": "closed"}


class Entry:
    """The model's state of one conversation."""

    def __init__(self):
        self.state, self.taken = None, set()
        self.dated = self.received = float("-inf")  # the two marks
        self.opened_at = self.closed_at = None  # of the latest change
        self.opening_known = self.addressed = False

    def is_history(self, kind, at):
        if at < self.dated or self.received - at >= CLOCKS:
            return True
        return at == self.dated and kind != "closed" and self.state == "closed" and not self.opening_known

    def was_born_closed(self, created):
        return created is not None and not self.opening_known and self.closed_at - created < CLOCKS

    def take(self, kind, at, received):
        self.taken.add((kind, at))
        if at is None:
            self.received = max(self.received, received)
        else:
            self.dated = max(self.dated, at)


class Model:
    """The conversations of one customer: the event of each webhook, and the open conversations that have an address.

    `reports` is "change" for a desk that reports changes, "state" for a desk that reports the state of a
    conversation."""

    def __init__(self, reports="change"):
        self.reports, self.entries, self.open = reports, {}, set()

    def take(self, kind, conversation, at=None, received=None, created=None, closed_at=None, address=True):
        """Returns the event of a webhook as (transition, True for history, the time of the event), or None where there
        is none. kind: the webhook's meaning; None or "identified" is neither an opening nor a closing. at: the desk's
        time, or None where it gives none. received: the time of receipt; may be left out where all webhooks are dated.
        address: True where the webhook leads to an address."""
        entry = self.entries.setdefault(conversation, Entry())
        if at is not None and (kind, at) in entry.taken:
            return None
        history = at is not None and entry.is_history(kind, at)
        late_address = entry.state == "open" and not entry.addressed and address and kind != "closed"
        if kind in VERBS:
            entry.take(kind, at, received)
        when = received if at is None else at
        if late_address:
            entry.addressed = True
            self.open.add(conversation)
            return "opened", False, entry.opened_at
        if kind not in VERBS:
            return None
        if history:
            entry.opening_known |= kind != "closed"
            reaches = address or kind == "closed" and entry.addressed
            return (kind, True, when) if self.reports == "change" and reaches else None
        if kind == "closed":
            return self._close(entry, conversation, when, self._is_told(closed_at, received), address)
        return self._open(entry, conversation, kind, when, created, address)

    def _is_told(self, closed_at, received):
        """True where a closing gives an event though it is the first webhook of its conversation."""
        young = closed_at is not None and (received is None or received - closed_at < DAY)
        return self.reports == "change" or young

    def _close(self, entry, conversation, when, told, address):
        was, entry.state = entry.state, "closed"
        if was == "closed":
            return None
        entry.closed_at = when
        self.open.discard(conversation)
        told = told if was is None else True
        return ("closed", False, when) if told and (address or entry.addressed) else None

    def _open(self, entry, conversation, kind, when, created, address):
        was, entry.state = entry.state, "open"
        born_closed = was == "closed" and entry.was_born_closed(created)
        entry.opening_known = True
        if was == "open":
            return None
        entry.opened_at, entry.addressed = when, address
        if not address:
            return None
        self.open.add(conversation)
        if was is None:
            return kind, False, when
        return ("opened" if born_closed else "reopened"), False, when


class Case:
    """A conversation of a customer. begin: the time of its creation (whole seconds since 1970)."""

    def __init__(self, conversation, customer, email, begin):
        self.conversation, self.customer, self.email, self.begin = str(conversation), str(customer), email, begin


class Webhook:
    """A request of a desk.

    name     the desk's name of it
    says     its meaning: opened, reopened, closed, identified, or None where it is ignored
    at       the desk's own time of it as a number; None where the desk gives none
    body     a dict, as the desk writes it
    again    the body of a repeat, where it differs
    address  True where the customer's address is known by then
    """

    def __init__(self, name, says, at, body, headers=None, again=None, created=None, closed_at=None, address=True):
        self.name, self.says, self.at, self.headers = name, says, at, headers or {}
        self.times = {"at": at, "created": created, "closed_at": closed_at}
        self.body, self.again, self.address = body, body if again is None else again, address

    def told_to(self, model, conversation, received):
        return model.take(self.says, conversation, received=received, address=self.address, **self.times)


class Desk:
    """A desk, which writes webhooks. created(), updated(), closed() and reopened() return the webhooks that the desk
    sends about that change of a case at a time. The webhook that says the most comes first."""

    preset = label = None
    reports = "change"
    batches = False  # several items a request
    settings = {}  # of the source, in addition to those of its proof

    @property
    def name(self):
        return self.preset

    @property
    def proof(self):
        """The name of its proof for harness.prove()."""
        return self.preset

    def answers(self, cases):
        """Returns the answers of the desk's API about these conversations, by path."""
        return {}

    def delivery(self, webhook):
        """Returns a key that is equal for two deliveries of one webhook, and different for two webhooks."""
        raise NotImplementedError

    def life(self, case, pace):
        """Returns the changes of a conversation from its creation to its second closing, one every `pace` seconds:
        [(change, webhooks), …]."""
        happened = ("created", "updated", "closed", "reopened", "closed")
        return [(what, getattr(self, what)(case, case.begin + n * pace)) for n, what in enumerate(happened)]


def fraction(at, digits):
    """Returns a time in ISO 8601 with `digits` digits of a second's fraction."""
    moment = datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return moment[:19] if digits == 0 else moment[: 20 + digits].ljust(20 + digits, "0")


class Chatwoot(Desk):
    """conversation_status_changed without a difference, and conversation_updated with one, for each change of status. Times
    are seconds with microseconds. X-Chatwoot-Delivery stays the same when the job is run again."""

    preset, label = "chatwoot", "Chatwoot"
    settings = {"lookup": {"base_url": "https://chat.example.com"}}

    def delivery(self, webhook):
        return webhook.headers["X-Chatwoot-Delivery"]

    def webhook(self, case, kind, status, says, at, difference=None):
        body = {
            "event": f"conversation_{kind}",
            "id": int(case.conversation),
            "inbox_id": 6,
            "channel": "Channel::Email",
            "status": status,
            "priority": None,
            "labels": ["refund"],
            "messages": [{"id": 1, "account_id": 9, "conversation_id": int(case.conversation)}],
            "meta": {
                "sender": {"id": int(case.customer), "email": case.email, "type": "contact"},
                "assignee": {"id": 4, "name": "Kim Vale"},
                "team": None,
                "hmac_verified": False,
            },
            "timestamp": int(at),
            "created_at": case.begin,
            "updated_at": at,
        }
        if kind != "created":
            pairs = (difference or {}).items()
            changed = [{name: {"previous_value": old, "current_value": new}} for name, (old, new) in pairs]
            body["changed_attributes"] = changed or None
        headers = {"X-Chatwoot-Delivery": f"{case.conversation}-{kind}-{at}"}
        closed_at = case.begin if kind == "created" and says == "closed" else None
        return Webhook(f"{kind} {status}", says, at, body, headers, created=case.begin, closed_at=closed_at)

    def created(self, case, at):
        return [self.webhook(case, "created", "open", "opened", at + 0.250417)]

    def updated(self, case, at):
        change = {"assignee_id": (None, 4)}
        return [self.webhook(case, "updated", "open", "identified", at + 0.07, change)]

    def _status(self, case, at, before, now, says):
        difference = {"status": (before, now), "updated_at": ("a", "b")}
        return [
            self.webhook(case, "status_changed", now, says, at + 0.669797),
            self.webhook(case, "updated", now, says, at + 0.669797, difference),
        ]

    def closed(self, case, at):
        return self._status(case, at, "open", "resolved", "closed")

    def reopened(self, case, at, status="open"):
        return self._status(case, at, "resolved", status, "reopened")


class ChatwootVisitor(Chatwoot):
    """A visitor of the chat, who gives an address after the conversation began. The next update has it."""

    name = "chatwoot-chat"

    def created(self, case, at):
        webhook = super().created(case, at)[0]
        webhook.body["meta"]["sender"]["email"], webhook.address = None, False
        return [webhook]


class Intercom(Desk):
    """Times are whole seconds. A repeat has the id of the first delivery and counts its attempts. A customer's reply
    says that the conversation is open. There is no topic for a reply that opens a closed conversation, but a second
    webhook may report it as an opening."""

    preset, label = "intercom", "Intercom"

    def answers(self, cases):
        return {f"/contacts/{case.customer}": {"type": "contact", "email": case.email} for case in cases}

    def delivery(self, webhook):
        return webhook.body["id"]

    def item(self, case, state, at):
        return {
            "type": "conversation",
            "id": case.conversation,
            "created_at": case.begin,
            "updated_at": at,
            "source": {"type": "email", "delivered_as": "customer_initiated"},
            "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": case.customer}]},
            "open": state == "open",
            "state": state,
            "tags": {"type": "tag.list", "tags": []},
        }

    def webhook(self, case, topic, says, at, item):
        body = {
            "type": "notification_event",
            "app_id": "k7dsk0br",
            "id": f"notif_{case.conversation}-{topic}-{at}",
            "topic": topic,
            "delivery_status": "pending",
            "delivery_attempts": 1,
            "delivered_at": 0,
            "first_sent_at": at + 1,
            "created_at": at,
            "data": {"type": "notification_event_data", "item": item},
        }
        return Webhook(topic, says, at, body, again=body | {"delivery_attempts": 2}, created=case.begin)

    def conversation(self, case, topic, says, at, state):
        return self.webhook(case, topic, says, at, self.item(case, state, at))

    def created(self, case, at):
        return [self.conversation(case, "conversation.user.created", "opened", at, "open")]

    def updated(self, case, at):
        return [
            self.conversation(case, "conversation.user.replied", "reopened", at, "open"),
            self.conversation(case, "conversation.admin.assigned", None, at, "open"),
        ]

    def closed(self, case, at):
        return [self.conversation(case, "conversation.admin.closed", "closed", at, "closed")]

    def reopened(self, case, at):
        return [
            self.conversation(case, "conversation.user.replied", "reopened", at, "open"),
            self.conversation(case, "conversation.admin.opened", "reopened", at, "open"),
        ]


class IntercomOutbound(Intercom):
    """A message that an agent sends. The conversation is closed when it is created, and opens when the customer
    replies."""

    name = "intercom-outbound"

    def created(self, case, at):
        webhook = self.conversation(case, "conversation.admin.single.created", "closed", at, "closed")
        webhook.times["closed_at"] = case.begin
        return [webhook]


class IntercomTicket(Intercom):
    """A ticket. In a creation the ticket is the item itself, in the others it is inside the item; the last webhook
    lacks its contact. Resolving and closing are two topics. There is no topic for reopening."""

    name = "intercom-ticket"

    def ticket(self, case, topic, says, at, inside, contact=True):
        item = self.item(case, "open" if says == "opened" else "closed", at) | {"type": "ticket", "category": "Customer"}
        if not contact:
            del item["contacts"]
        webhook = self.webhook(case, topic, says, at, {"ticket": item} if inside else item)
        webhook.address = contact
        return webhook

    def created(self, case, at):
        return [self.ticket(case, "ticket.created", "opened", at, False)]

    def updated(self, case, at):
        return [self.ticket(case, "ticket.state.updated", None, at, False)]

    def life(self, case, pace):
        resolved = self.ticket(case, "ticket.resolved", "closed", case.begin + 2 * pace, True)
        closed = self.ticket(case, "ticket.closed", "closed", case.begin + 3 * pace, True, contact=False)
        return [*super().life(case, pace)[:2], ("resolved", [resolved]), ("closed", [closed])]


class Zendesk(Desk):
    """Event subscriptions: times with nine digits, statuses in capitals. A repeat has the id of the first delivery."""

    preset, label = "zendesk", "Zendesk"

    def answers(self, cases):
        return {f"/api/v2/users/{case.customer}": {"user": {"email": case.email}} for case in cases}

    def delivery(self, webhook):
        return webhook.body["id"]

    def webhook(self, case, kind, says, at, status, event):
        body = {
            "account_id": 20114477,
            "id": f"{case.conversation}-{kind}-{at}",
            "type": f"zen:event-type:ticket.{kind}",
            "zendesk_event_version": "2022-11-06",
            "subject": f"zen:ticket:{case.conversation}",
            "time": fraction(at, 6) + "456Z",
            "detail": {
                "id": case.conversation,
                "requester_id": case.customer,
                "assignee_id": None,
                "status": status,
                "tags": ["delivery"],
                "via": {"channel": "email"},
                "created_at": fraction(case.begin, 0) + "Z",
                "updated_at": fraction(at, 0) + "Z",
            },
            "event": event,
        }
        return Webhook(f"{kind} {status}", says, at, body, created=case.begin)

    def _status(self, case, at, before, now, says):
        return self.webhook(case, "status_changed", says, at + 0.5, now, {"previous": before, "current": now})

    def created(self, case, at):
        return [self.webhook(case, "created", "opened", at + 0.25, "NEW", {})]

    def updated(self, case, at):
        assigned = {"previous": None, "current": "30870077"}
        return [
            self._status(case, at, "NEW", "OPEN", "identified"),
            self.webhook(case, "agent_assignment_changed", None, at + 0.5, "OPEN", assigned),
        ]

    def closed(self, case, at):
        return [self._status(case, at, "OPEN", "SOLVED", "closed")]

    def reopened(self, case, at):
        return [self._status(case, at, "SOLVED", "OPEN", "reopened")]

    def life(self, case, pace):
        """Zendesk closes a solved ticket permanently after some days."""
        steps = super().life(case, pace)
        return [*steps, ("archived", [self._status(case, case.begin + 5 * pace, "SOLVED", "CLOSED", None)])]


class HelpScout(Desk):
    """The header names the change, the body has the state of the conversation. Times are whole seconds, and only a
    creation and a closing have one. There is no delivery id: a repeat has the same body. A reply that opens a closed
    conversation is reported twice, as a reply and as a change of status, with the same body."""

    preset, label, reports = "helpscout", "Help Scout", "state"

    def delivery(self, webhook):
        return webhook.says, json.dumps(webhook.body)

    def webhook(self, case, name, status, at, dated, threads):
        body = {
            "id": int(case.conversation),
            "number": int(case.conversation) % 10000,
            "threads": threads,
            "type": "email",
            "status": status,
            "state": "published",
            "mailboxId": 88012,
            "createdBy": {"id": int(case.customer), "type": "customer", "email": case.email},
            "createdAt": fraction(case.begin, 0) + "Z",
            "userUpdatedAt": fraction(at, 0) + "Z",
            "tags": [{"id": 7301, "tag": "delivery"}],
            "primaryCustomer": {"id": int(case.customer), "type": "customer", "email": case.email},
        }
        if status == "closed":
            body |= {"closedBy": 41077, "closedAt": fraction(at, 0) + "Z"}
        says = "closed" if status == "closed" else "opened"
        times = {"created": case.begin, "closed_at": at if status == "closed" else None}
        return Webhook(f"{name} {status}", says, at if dated else None, body, {"X-HelpScout-Event": name}, **times)

    def created(self, case, at):
        return [self.webhook(case, "convo.created", "active", at, True, 1)]

    def updated(self, case, at):
        return [self.webhook(case, "convo.status", "pending", at, False, 2)]

    def closed(self, case, at):
        return [self.webhook(case, "convo.status", "closed", at, True, 3 + int(at - case.begin))]

    def reopened(self, case, at):
        names = ("convo.customer.reply.created", "convo.status")
        return [self.webhook(case, name, "active", at, False, 3 + int(at - case.begin)) for name in names]


class Front(Desk):
    """Events of rules: times are seconds with milliseconds. A message that opens an archived conversation is reported
    twice, as a message and as an opening."""

    preset, label, reports = "front", "Front", "state"
    names = {"inbound": "inbound", "outbound": "outbound", "archive": "archive", "reopen": "reopen"}

    def delivery(self, webhook):
        return webhook.body["id"]

    def event(self, case, kind, status, at):
        return {
            "id": f"evt_{case.conversation}{kind}{round(at * 1000)}",
            "type": kind,
            "emitted_at": at,
            "conversation": {
                "id": "cnv_" + case.conversation,
                "status": status,
                "assignee": None,
                "recipient": {"handle": case.email, "role": "from"},
                "tags": [{"id": "tag_7dsk0", "name": "delivery", "is_private": False}],
                "last_message": {"type": "email", "is_inbound": True, "created_at": int(at)},
                "created_at": case.begin + 0.104,
            },
            "source": {"_meta": {"type": "teammate"}, "data": {"id": "tea_7dsk0"}},
        }

    def body(self, kind, event):
        return event

    def webhook(self, case, kind, status, says, at):
        body = self.body(kind, self.event(case, kind, status, at))
        return Webhook(self.names[kind], says, at, body, created=case.begin + 0.104, closed_at=at)

    def created(self, case, at):
        return [self.webhook(case, "inbound", "unassigned", "opened", at + 0.25)]

    def updated(self, case, at):
        return [self.webhook(case, "outbound", "assigned", "opened", at + 0.25)]

    def closed(self, case, at):
        return [self.webhook(case, "archive", "archived", "closed", at + 0.678)]

    def reopened(self, case, at):
        return [
            self.webhook(case, "inbound", "assigned", "opened", at + 0.25),
            self.webhook(case, "reopen", "assigned", "reopened", at + 0.256),
        ]


class FrontApp(Front):
    """The webhook of an app: it has other names and another signature, and holds the event as a preview without the
    recipient."""

    name, proof = "front-app", "front-app"
    names = {
        "inbound": "inbound_received",
        "outbound": "outbound_sent",
        "archive": "conversation_archived",
        "reopen": "conversation_reopened",
    }
    settings = {
        "authenticate": {
            "method": "hmac",
            "header": "X-Front-Signature",
            "algorithm": "sha256",
            "encoding": "base64",
            "signed": "{timestamp}:{body}",
            "timestamp": "header:X-Front-Request-Timestamp",
            "unit": "ms",
        },
        "with": {"lookup": "on"},
    }

    def answers(self, cases):
        return {
            f"/conversations/cnv_{case.conversation}": {"recipient": {"handle": case.email, "role": "from"}} for case in cases
        }

    def delivery(self, webhook):
        return webhook.body["payload"]["id"]

    def body(self, kind, event):
        del event["conversation"]["recipient"]
        return {"type": self.names[kind], "authorization": {"id": "cmp_7dsk"}, "payload": event}


class Gorgias(Desk):
    """The whole ticket, without the name of the change and without a delivery id. A repeat has the same body, as has
    another trigger for the same change. Times have microseconds. Later changes of a closed ticket repeat that it is
    closed."""

    preset, label, reports = "gorgias", "Gorgias", "state"

    def delivery(self, webhook):
        return webhook.says, json.dumps(webhook.body)

    def webhook(self, case, name, status, at, closed_at=None, tags=()):
        ticket = {
            "id": int(case.conversation),
            "account": {"domain": "acme"},
            "status": status,
            "channel": "email",
            "spam": False,
            "from_agent": False,
            "tags": [{"name": tag} for tag in tags],
            "customer": {"id": int(case.customer), "email": case.email, "channels": []},
            "created_datetime": fraction(case.begin, 6) + "+00:00",
            "updated_datetime": fraction(at, 6) + "+00:00",
            "closed_datetime": closed_at and fraction(closed_at, 6) + "+00:00",
            "snooze_datetime": None,
            "trashed_datetime": None,
        }
        says = "closed" if status == "closed" else "opened"
        return Webhook(f"{name} {status}", says, at, {"ticket": ticket}, created=case.begin, closed_at=closed_at)

    def created(self, case, at):
        return [self.webhook(case, name, "open", at + 0.250417) for name in ("ticket-created", "ticket-message-created")]

    def updated(self, case, at):
        return [self.webhook(case, "ticket-updated", "open", at + 0.31513)]

    def closed(self, case, at):
        return [
            self.webhook(case, "ticket-updated", "closed", at + 0.11, at + 0.07),
            self.webhook(case, "ticket-updated", "closed", at + 0.52, at + 0.07, ["refund"]),
        ]

    def reopened(self, case, at):
        return [self.webhook(case, "ticket-updated", "open", at + 0.80011)]


class Zammad(Desk):
    """Times have milliseconds. A repeat has the same header as the first delivery."""

    preset, label, reports = "zammad", "Zammad", "state"

    def delivery(self, webhook):
        return webhook.headers["X-Zammad-Delivery"]

    def webhook(self, case, state, at):
        ticket = {
            "id": int(case.conversation),
            "state": state,
            "created_at": iso(case.begin),
            "updated_at": iso(at),
            "customer": {"id": int(case.customer), "email": case.email},
        }
        closes = state == "closed"
        if closes:
            ticket |= {"close_at": iso(at), "last_close_at": iso(at)}
        headers = {"X-Zammad-Delivery": f"{case.conversation}-{state}-{at}"}
        says = "closed" if closes else "opened"
        return Webhook(state, says, at, {"ticket": ticket}, headers, created=case.begin, closed_at=at if closes else None)

    def created(self, case, at):
        return [self.webhook(case, "new", at)]

    def updated(self, case, at):
        return [self.webhook(case, "open", at)]

    def closed(self, case, at):
        return [self.webhook(case, "closed", at)]

    def reopened(self, case, at):
        return [self.webhook(case, "open", at)]


class HubSpot(Desk):
    """A request is a list of items. Times are milliseconds. A repeat counts its attempts."""

    preset, label, batches = "hubspot", "HubSpot", True

    def answers(self, cases):
        answers = {}
        for case in cases:
            answers["/conversations/v3/conversations/threads/" + case.conversation] = {"associatedContactId": case.customer}
            answers[f"/crm/v3/objects/contacts/{case.customer}?properties=email"] = {"properties": {"email": case.email}}
        return answers

    def delivery(self, webhook):
        item = webhook.body
        return item["eventId"], item["objectId"], item["subscriptionType"], item["occurredAt"]

    def webhook(self, case, kind, says, at, **more):
        item = {"objectId": int(case.conversation), "portalId": 7, "occurredAt": round(at * 1000), "eventId": round(at * 1000)}
        item |= {"subscriptionType": f"conversation.{kind}", "attemptNumber": 0, **more}
        return Webhook(kind, says, at, item, again=item | {"attemptNumber": 1})

    def _status(self, case, at, status, says):
        return [self.webhook(case, "propertyChange", says, at, propertyName="status", propertyValue=status)]

    def created(self, case, at):
        return [self.webhook(case, "creation", "opened", at)]

    def updated(self, case, at):
        return [self.webhook(case, "newMessage", None, at)]

    def closed(self, case, at):
        return self._status(case, at, "CLOSED", "closed")

    def reopened(self, case, at):
        return self._status(case, at, "OPEN", "reopened")


KINDS = [Chatwoot, ChatwootVisitor, Intercom, IntercomOutbound, IntercomTicket, Zendesk, HelpScout, Front, FrontApp, Gorgias]
KINDS += [Zammad, HubSpot]
DESKS = {desk.name: desk for desk in (kind() for kind in KINDS)}
