"""What may be set in supportbot.toml about answers, and about what they lacked."""

from pydantic import Field, StrictFloat, StrictInt

from bot.settings_section import CRON, Schedule, Section


class AnswerSettings(Section):
    """When the bot answers, and with how much."""

    min_confidence: StrictFloat = Field(default=0.5, ge=0, le=1, description="a number from 0 to 1")
    max_quotes: StrictInt = Field(default=3, ge=1, le=5, description="a whole number from 1 to 5")
    passages: StrictInt = Field(default=5, ge=1, le=20, description="a whole number from 1 to 20")
    renew_after_days: StrictInt = Field(
        default=180, ge=1, le=3650, description="a whole number from 1 to 3650"
    )


class GapSettings(Section):
    """When admins are told what people asked and the documents did not answer well."""

    digest: Schedule = Field(default="0 9 * * 1", description=CRON)


class EvaluationSettings(Section):
    """When the questions are asked again whose answers people rated down."""

    schedule: Schedule = Field(default="30 4 * * *", description=CRON)
