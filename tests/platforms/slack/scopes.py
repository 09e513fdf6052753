"""Which scope of the bot token a method needs."""

from collections.abc import Collection

# One for each kind of conversation, in this order: channel, group (private), im.
HISTORY = {"channel": "channels:history", "group": "groups:history", "im": "im:history"}
READ = {"channel": "channels:read", "group": "groups:read", "im": "im:read"}

BY_KIND = {
    "conversations.history": HISTORY,
    "conversations.info": READ,
    "conversations.members": READ,
    "conversations.replies": HISTORY,
}
# Any one of these is enough.
BY_METHOD: dict[str, tuple[str, ...]] = {
    "agents.sessions.rename": ("chat:write", "assistant:write"),
    "agents.sessions.setStatus": ("chat:write", "assistant:write"),
    "assistant.threads.setStatus": ("chat:write", "assistant:write"),
    "assistant.threads.setSuggestedPrompts": ("chat:write", "assistant:write"),
    "assistant.threads.setTitle": ("chat:write", "assistant:write"),
    "bots.info": ("users:read",),
    "chat.appendStream": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write",),
    "chat.stopStream": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.list": tuple(READ.values()),
    "conversations.open": ("im:write", "channels:manage", "groups:write", "mpim:write"),
    "emoji.list": ("emoji:read",),
    "files.completeUploadExternal": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.info": ("files:read",),
    "reactions.add": ("reactions:write",),
    "reactions.remove": ("reactions:write",),
    "team.info": ("team:read",),
    "usergroups.list": ("usergroups:read",),
    "usergroups.users.list": ("usergroups:read",),
    "users.conversations": tuple(READ.values()),
    "users.info": ("users:read",),
    "users.list": ("users:read",),
    "users.lookupByEmail": ("users:read.email",),
}

# What an app may have beyond what its calls need: the scopes of events and commands.
OF_EVENTS = {"app_mentions:read", "assistant:write", "commands", "reactions:read"}
ALL_SCOPES = frozenset(
    {scope for scopes in BY_METHOD.values() for scope in scopes}
    | {scope for scopes in BY_KIND.values() for scope in scopes.values()}
    | OF_EVENTS
)


def missing_scope(method: str, kind: str | None, granted: Collection[str]) -> str | None:
    """The scope a call lacks, or None; `kind` is that of the channel it is about, if any."""
    if method in BY_KIND:
        needed = (BY_KIND[method][kind],) if kind else tuple(BY_KIND[method].values())
    else:
        needed = BY_METHOD.get(method, ())
    if not needed or any(scope in granted for scope in needed):
        return None
    return needed[0]
