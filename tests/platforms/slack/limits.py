"""How often a method may be called: Slack's tiers for the methods of a bot like ours."""

import time

# Calls a minute, by Slack's page on rate limits. Tier 4 is "100 and more".
TIERS = {1: 1, 2: 20, 3: 50, 4: 100}

METHOD_TIERS = {
    "agents.sessions.rename": 3,
    "agents.sessions.setStatus": 4,
    "apps.connections.open": 1,
    "assistant.threads.setSuggestedPrompts": 3,
    "assistant.threads.setTitle": 3,
    "bots.info": 3,
    "chat.appendStream": 4,
    "chat.delete": 3,
    "chat.postEphemeral": 4,
    "chat.startStream": 2,
    "chat.stopStream": 2,
    "chat.update": 3,
    "conversations.history": 3,
    "conversations.info": 3,
    "conversations.join": 3,
    "conversations.list": 2,
    "conversations.members": 4,
    "conversations.open": 3,
    "conversations.replies": 3,
    "files.completeUploadExternal": 4,
    "files.getUploadURLExternal": 4,
    "files.info": 4,
    "reactions.add": 3,
    "reactions.get": 3,
    "reactions.remove": 2,
    "team.info": 3,
    "usergroups.list": 2,
    "usergroups.users.list": 2,
    "users.conversations": 3,
    "users.info": 4,
    "users.list": 2,
    "users.lookupByEmail": 3,
    "views.open": 4,
    "views.publish": 4,
    "views.push": 4,
    "views.update": 4,
}

# The special tiers: calls a minute, and how many of them at once. Slack gives a figure only for
# messages: one a second in a channel, with short bursts let through.
POST_A_MINUTE, POST_BURST = 60, 3
SPECIAL_A_MINUTE = 600


class Buckets:
    """A bucket of allowed calls for each method, for messages one for each channel."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, method: str, channel: str, minute_seconds: float) -> float:
        """Allow a call now (0), or say in how many seconds the next one is; a minute lasts
        `minute_seconds`."""
        a_minute, burst = SPECIAL_A_MINUTE, SPECIAL_A_MINUTE
        if method == "chat.postMessage":
            a_minute, burst = POST_A_MINUTE, POST_BURST
        elif method in METHOD_TIERS:
            a_minute = burst = TIERS[METHOD_TIERS[method]]
        key = (method, channel if method == "chat.postMessage" else "")
        rate = a_minute / minute_seconds
        now = time.monotonic()
        left, since = self._buckets.get(key, (float(burst), now))
        left = min(burst, left + (now - since) * rate)
        if left < 1:
            self._buckets[key] = (left, now)
            return (1 - left) / rate
        self._buckets[key] = (left - 1, now)
        return 0.0
