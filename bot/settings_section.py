"""What every section of supportbot.toml has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Keys that stand together; every field's description completes the sentence "Write …"."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )
