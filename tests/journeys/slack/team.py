"""A team at work in Slack: what they ask, and what they read."""

from dataclasses import dataclass
from typing import Any

from bot.app import App
from tests.platforms.slack.workspace import Workspace

PAGES = {
    "refunds.md": "# Refunds\n\nRefunds are paid within five working days.\n\n"
    "## How to ask for one\n\n"
    "Write to billing with the order number:\n\n- the order number\n- the reason\n",
    "vpn.md": "# VPN\n\n## Connect from home\n\nInstall the client, then run this:\n\n"
    "```sh\nvpn connect office\n```\n\nIt asks for your badge number.\n",
    "holidays.md": "# Holidays\n\nEverybody has thirty days of holiday a year. "
    "Unused days expire at the end of March.\n",
}


@dataclass(frozen=True, slots=True)
class Team:
    """A workspace with the bot in it, which answers from three pages."""

    slack: Workspace
    app: App

    async def asks(self, person: str, channel: str, text: str, thread: str | None = None) -> str:
        """What a thread reads after somebody has mentioned the bot: its last answer."""
        return await self.hears(
            channel, await self.slack.ask(person, channel, text, thread), thread
        )

    async def says(self, person: str, channel: str, text: str, thread: str | None = None) -> str:
        """The same, without a mention."""
        return await self.hears(
            channel, await self.slack.say(person, channel, text, thread), thread
        )

    async def hears(self, channel: str, ts: str, thread: str | None = None) -> str:
        """The answer to a message: the bot's first one behind it in its thread."""

        async def answers() -> list[dict[str, Any]]:
            found = await self.slack.final_messages(channel, thread or ts)
            return [each for each in found if each["ts"] > ts and not each["is_streaming"]]

        return reading((await self.slack.wait_for(answers))[0])


def reading(message: dict[str, Any]) -> str:
    """What a message shows, as people read it."""
    lines = [_reading(block) for block in message.get("blocks") or []]
    return "\n".join(line for line in lines if line) or str(message.get("text", ""))


def _reading(part: Any) -> str:
    """The texts in a block, in order."""
    if isinstance(part, list):
        return "".join(filter(None, map(_reading, part)))
    if not isinstance(part, dict):
        return ""
    text = part.get("text")
    if isinstance(text, str):
        return text
    inner = [_reading(part[name]) for name in ("text", "elements", "rows") if name in part]
    if part.get("type") == "rich_text_list":
        return "".join(f"• {_reading(element)}\n" for element in part["elements"])
    return "".join(inner) + ("\n" if part.get("type", "").startswith("rich_text_") else "")
