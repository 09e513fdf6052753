"""What every section of supportbot.toml has in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from bot.cron import read_cron


class Section(BaseModel):
    """Keys that stand together; every field's description completes the sentence "Write …"."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )


def _times(cron: str) -> str:
    if cron:
        read_cron(cron)
    return cron


CRON = 'five fields of cron in UTC, such as "0 3 * * *", or "" for never'
Schedule = Annotated[str, AfterValidator(_times)]
