"""What Slack's message events mean: a question, an edit, a deletion, or nothing to the bot."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from bot.messages import Arrival, Way
from bot.platforms.slack.lengths import sendable
from bot.storage.inbox import Spot

PLATFORM = "slack"
SLACKBOT = "USLACKBOT"
# Of the many subtypes, those that people write themselves.
SAID = frozenset({None, "file_share", "me_message", "thread_broadcast"})
LISTENING = frozenset({"questions", "all"})

MENTION = re.compile(r"<@(?P<id>[UW][A-Z0-9]+)(?:\|[^<>]*)?>")
GROUP = re.compile(r"<!subteam\^[A-Z0-9]+(?:\|(?P<name>[^<>]*))?>")
SPECIAL = re.compile(r"<!(?P<name>[a-z]+)(?:[|^][^<>]*)?>")
CHANNEL = re.compile(r"<#[CG][A-Z0-9]+(?:\|(?P<name>[^<>]*))?>")
LINK = re.compile(r"<(?P<url>[a-z][a-z0-9+.-]*:[^<>|]*)(?:\|(?P<label>[^<>]*))?>", re.IGNORECASE)
ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Edit:
    """A message that reads otherwise now; `arrival` if it newly mentions the bot."""

    spot: Spot
    text: str
    arrival: Arrival | None


@dataclass(frozen=True, slots=True)
class Deletion:
    """A message that is gone."""

    spot: Spot


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the events of one workspace, for the bot with this user id.

    `modes` says which unmentioned messages of a channel are listened to.
    """

    workspace: str
    bot_user: str
    modes: Mapping[str, str]

    def read(self, event: Event) -> Arrival | Edit | Deletion | None:
        """What a `message` or `app_mention` event says; None where it is nothing to the bot."""
        match event.get("subtype"):
            case "message_changed":
                return self._edit(event)
            case "message_deleted":
                message = event.get("deleted_ts")
                return Deletion(self._spot(event, message)) if _is_text(message) else None
        return self.arrival(event)

    def arrival(self, event: Event) -> Arrival | None:
        """The question that a message may be; None for those of bots and of others' talk."""
        channel, message, person = event.get("channel"), event.get("ts"), event.get("user")
        if not (_is_text(channel) and _is_text(message) and _is_text(person)):
            return None
        if not self._is_said_by_a_person(event):
            return None
        written = event.get("text")
        written = written if isinstance(written, str) else ""
        parent = event.get("thread_ts")
        thread: str = parent if _is_text(parent) else message
        way = self._way(event, written, is_reply=thread != message)
        if way is None:
            return None
        details: dict[str, Any] = {"thread": thread}
        if way is Way.OVERHEARD:
            details["mode"] = self.modes[channel]
        client_message = event.get("client_msg_id")
        return Arrival(
            PLATFORM, self.workspace, channel, message, f"{channel}:{thread}", person,
            plain_text(written, self.bot_user), way,
            client_message if _is_text(client_message) else None, details,
        )  # fmt: skip

    def _way(self, event: Event, written: str, *, is_reply: bool) -> Way | None:
        if event.get("channel_type") == "im":
            return Way.DIRECT
        mentioned = {match["id"] for match in MENTION.finditer(written)}
        if self.bot_user in mentioned or event.get("type") == "app_mention":
            return Way.MENTION
        if mentioned or GROUP.search(written):
            return None
        if is_reply:
            return Way.FOLLOW_UP
        return Way.OVERHEARD if self.modes.get(event["channel"]) in LISTENING else None

    def _is_said_by_a_person(self, event: Event) -> bool:
        is_bot = event.get("bot_id") or event.get("bot_profile") or event.get("app_id")
        is_other = event.get("user") not in {self.bot_user, SLACKBOT}
        return not is_bot and is_other and not event.get("hidden") and event.get("subtype") in SAID

    def _edit(self, event: Event) -> Edit | None:
        """An edit by a person that changed the text; unfurling and replies "change" it too."""
        new, old = event.get("message"), event.get("previous_message")
        if not isinstance(new, Mapping) or not isinstance(old, Mapping):
            return None
        text, before = new.get("text"), old.get("text")
        is_said = self._is_said_by_a_person(new) and _is_text(new.get("ts"))
        if not is_said or not isinstance(text, str) or text == before:
            return None
        arrival = self.arrival({**new, "channel": event.get("channel")})
        had_mention = isinstance(before, str) and f"<@{self.bot_user}" in before
        is_new = arrival is not None and arrival.way is Way.MENTION and not had_mention
        return Edit(
            self._spot(event, new["ts"]), plain_text(text, self.bot_user),
            arrival if is_new else None,
        )  # fmt: skip

    def _spot(self, event: Event, message: str) -> Spot:
        return Spot(PLATFORM, self.workspace, str(event.get("channel")), message)


def plain_text(written: str, bot_user: str | None = None) -> str:
    """A message without Slack's markup; mentions of the bot are left out.

    What a person typed as text, such as "<!here>", comes escaped and stays text.
    """

    def name(match: re.Match[str]) -> str:
        return "" if match["id"] == bot_user else "@someone"

    text = MENTION.sub(name, written)
    text = GROUP.sub(lambda match: match["name"] or "@group", text)
    text = SPECIAL.sub(lambda match: f"@{match['name']}", text)
    text = CHANNEL.sub(lambda match: f"#{match['name'] or 'channel'}", text)
    text = LINK.sub(_address, text)
    text = re.sub("&(?:lt|gt|amp);", lambda match: ENTITIES[match[0]], sendable(text))
    return re.sub(r"[ \t]{2,}", " ", text).strip()


def _address(link: re.Match[str]) -> str:
    label, url = link["label"], link["url"].removeprefix("mailto:")
    return url if not label or label in url else f"{label} ({url})"


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)
