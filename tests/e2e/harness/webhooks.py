# SPDX-License-Identifier: MIT
"""The bodies of Gladly's webhooks."""

import uuid

from .wait import iso

GLADLY_TYPES = {
    "opened": "CONVERSATION/CREATED",
    "created": "CONVERSATION/CREATED",
    "reopened": "CONVERSATION/REOPENED",
    "closed": "CONVERSATION/CLOSED",
    "ended": "CONTACT/ENDED",
    "ping": "PING",
}


def gladly_webhook(kind, conversation="conv-1", customer="cust-1", at=None, id=None, initiator="AGENT"):
    """Returns the body of a Gladly webhook as a dict. kind: opened, reopened, closed, ended, ping, or a raw type. at:
    see iso(). id: Gladly's delivery id, by default a new one; a repeated id is the same delivery."""
    body = {
        "id": id or uuid.uuid4().hex[:22],
        "type": GLADLY_TYPES.get(kind, kind),
        "timestamp": iso(at),
        "initiator": {"id": "NFpDZtfqhk2pI6fjaVDlFf", "type": initiator},
        "content": {
            "customerId": customer,
            "conversationId": conversation,
            "context": {"assignee": {"inboxId": "inbox-1", "agentId": "agent-1"}},
        },
    }
    if conversation is None:
        del body["content"]["conversationId"]
    if customer is None:
        del body["content"]["customerId"]
    return body
