"""A short storm; `make storm` is the long one."""

from pathlib import Path

import pytest

from tests.platforms.slack.fixtures import Peers
from tests.platforms.slack.storm import storm
from tests.platforms.slack.weather import Plan


@pytest.mark.timeout(400)
async def test_no_question_is_lost_doubled_or_left_silent(
    slack_peer: Peers, tmp_path: Path
) -> None:
    plan = Plan(
        questions=60, per_second=5, replicas=2, kills=4, restarts=1, has_worker=False,
        settle_seconds=120,
    )  # fmt: skip
    outcome = await storm(plan, tmp_path, say=lambda _: None)
    assert (outcome.lost, outcome.doubled, outcome.silent) == (0, 0, 0)
    assert (outcome.answered_once, outcome.replicas_killed, outcome.postgres_restarts) == (60, 4, 1)
