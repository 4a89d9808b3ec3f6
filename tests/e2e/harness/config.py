# SPDX-License-Identifier: MIT
"""Configurations as dictionaries, and a definition for tests that need no helpdesk in particular."""

import copy

# A helpdesk without a proof, whose webhooks hold the address: {"kind": "opened", "id": "c-1", "email": ..., "at": ...}
MINI = {
    "label": "Mini",
    "authenticate": {"method": "none"},
    "opened": {"/kind": "opened"},
    "closed": {"/kind": "closed"},
    "conversation": "/id",
    "time": "/at",
    "emails": "/email",
}


def deep_merge(base, over):
    """Returns base with the changes of over: dicts are merged by key, other values replaced, and None removes the key.
    The values of over are copied."""
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = deep_merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def secrets_in(config, key=None):
    """Returns the secrets that are written in the configuration itself."""
    if isinstance(config, dict):
        return set().union(*(secrets_in(value, name) for name, value in config.items()))
    if isinstance(config, list):
        return set().union(*(secrets_in(value, key) for value in config))
    return {config} if key in ("api_key", "password", "token", "secret") and isinstance(config, str) else set()
