"""What may be set in supportbot.toml about the chats that people ask in."""

from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt

from bot.settings_section import Section


def _api(url: str) -> str:
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise ValueError(
            "is not https, and the token would be readable on its way. Write one such as "
            "https://slack.com/api/"
        )
    return url if url.endswith("/") else f"{url}/"


Member = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,}$")]
Channel = Annotated[str, Field(pattern=r"^[CG][A-Z0-9]{2,}$")]
Group = Annotated[str, Field(pattern=r"^S[A-Z0-9]{2,}$")]
Prompt = Annotated[str, Field(min_length=1, max_length=200)]

MEMBERS = 'a list of member ids such as ["U0123ABC"]'
CHANNELS = 'a list of channel ids such as ["C0123ABC"]'


class QuestionSettings(Section):
    """How many questions are taken and how they are answered, on every chat platform."""

    per_person: StrictInt = Field(
        default=10, ge=1, le=100_000, description="a whole number a minute, from 1 to 100000"
    )
    per_channel: StrictInt = Field(
        default=60, ge=1, le=100_000, description="a whole number a minute, from 1 to 100000"
    )
    waiting: StrictInt = Field(
        default=1000, ge=1, le=100_000, description="a whole number from 1 to 100000"
    )
    at_once: StrictInt = Field(default=8, ge=1, le=64, description="a whole number from 1 to 64")
    deadline_seconds: StrictFloat = Field(
        default=60.0, ge=5, le=900, description="a number of seconds from 5 to 900"
    )


class SlackSettings(Section):
    """How the bot behaves in Slack; its tokens are secrets."""

    admins: tuple[Member, ...] = Field(default=(), description=MEMBERS)
    workspace_admins: StrictBool = Field(default=False, description="true or false")
    questions_in: tuple[Channel, ...] = Field(default=(), description=CHANNELS)
    all_in: tuple[Channel, ...] = Field(default=(), description=CHANNELS)
    handoff_channel: Channel | None = Field(
        default=None, description='the id of a channel such as "C0123ABC"'
    )
    handoff_group: Group | None = Field(
        default=None, description='the id of a user group such as "S0123ABC"'
    )
    admin_channel: Channel | None = Field(
        default=None, description='the id of a channel such as "C0123ABC"'
    )
    suggested_prompts: tuple[Prompt, ...] = Field(
        default=(),
        max_length=4,
        description='a list of up to four questions such as ["How do I reset my password?"]',
    )
    sockets: StrictInt = Field(default=2, ge=1, le=5, description="a whole number from 1 to 5")
    port: StrictInt | None = Field(
        default=None, ge=1, le=65_535, description="a port number from 1 to 65535"
    )
    host: str = Field(
        default="127.0.0.1",
        pattern=r"^[0-9A-Za-z.:-]+$",
        description='an address such as "127.0.0.1" or "0.0.0.0"',
    )
    api_url: Annotated[str, Field(pattern=r"^https?://\S+$"), AfterValidator(_api)] = Field(
        default="https://slack.com/api/",
        description='the web address of the API, such as "https://slack.com/api/"',
    )
