"""What the settings want done at which times."""

from dataclasses import dataclass

from bot.cron import Cron, read_cron
from bot.settings import Settings
from bot.storage.jobs import Wanted

REQUESTED_BY = "schedule"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Work and the times that it is due; `written` is the cron of the settings."""

    wanted: Wanted
    cron: Cron
    written: str

    @property
    def name(self) -> str:
        """The name under which its firings are noted."""
        return f"{self.wanted.kind}:{self.wanted.key}"


def schedules(settings: Settings) -> list[Scheduled]:
    """Reindexes, the retraining, the evaluation and the digest, those that are ever due."""
    times = [(Wanted("reindex", s.name, REQUESTED_BY), s.schedule) for s in settings.sources]
    times.append((Wanted("retrain", "", REQUESTED_BY), settings.retraining.schedule))
    times.append((Wanted("evaluate", "", REQUESTED_BY), settings.evaluation.schedule))
    if settings.slack.admin_channel is not None:  # else nobody would read it
        times.append((Wanted("digest", "", REQUESTED_BY), settings.gaps.digest))
    return [Scheduled(wanted, read_cron(cron), cron) for wanted, cron in times if cron]
