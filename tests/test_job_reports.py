"""What people read when a job has ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.job_reports import ending, line
from bot.storage.jobs import Job

STARTED = datetime(2026, 10, 20, 3, 0, tzinfo=UTC)


def ended(
    kind: str, result: dict[str, Any] | None, failure: str | None = None, key: str = ""
) -> Job:
    """A job that took three seconds."""
    state = "failed" if failure else "succeeded"
    return Job(
        4, kind, key, state, "ann", STARTED, STARTED, STARTED + timedelta(seconds=3), 1.0, "last",
        0.0, 0, result, failure, None,
    )  # fmt: skip


def figures(accuracy: float, recalls: dict[str, float], **more: Any) -> dict[str, Any]:
    return {
        "examples": 44,
        "accuracy": accuracy,
        "macro_f1": accuracy - 0.01,
        "recalls": recalls,
        "cases": dict.fromkeys(recalls, 4),
    } | more


LIVE = {
    "version": 7,
    "is_live": True,
    "refusal": None,
    "test": figures(0.923, {"greeting": 1.0, "how_to": 0.75, "thanks": 1.0}),
    "live_test": figures(0.91, {"greeting": 0.5, "how_to": 1.0, "thanks": 1.0}),
}


def test_a_version_that_went_live_is_told_with_its_figures_and_what_changed_most() -> None:
    assert ending(ended("retrain", LIVE)) == (
        "Version 7 is live: accuracy 91.0 → 92.3 %, macro F1 90.0 → 91.3 % on 44 test examples.\n"
        "\n"
        "Changed most, by the share of an intent's examples that is recognised:\n"
        "- `greeting`: 50 → 100 % of 4\n"
        "- `how_to`: 100 → 75 % of 4"
    )


def test_a_version_that_stays_out_is_told_with_the_reason_first() -> None:
    said = ending(ended("retrain", LIVE | {"is_live": False, "refusal": "It is worse."}))
    assert said.startswith("Version 7 stays out: It is worse. It has accuracy 91.0 → 92.3 %")


def test_a_first_version_is_told_with_its_weakest_intents() -> None:
    said = ending(ended("retrain", LIVE | {"live_test": None}))
    assert said.startswith("Version 7 is live: accuracy 92.3 %, macro F1 91.3 % on 44 test")
    assert "No version that knows these intents was live to compare it with." in said
    assert said.endswith("is recognised:\n- `how_to`: 75 % of 4")


def test_at_most_five_intents_are_told() -> None:
    many = {f"intent_{number}": number / 10 for number in range(9)}
    before = dict.fromkeys(many, 1.0)
    result = LIVE | {"test": figures(0.5, many), "live_test": figures(1.0, before)}
    bullets = [part for part in ending(ended("retrain", result)).splitlines() if part[:2] == "- "]
    assert len(bullets) == 5
    assert bullets[0] == "- `intent_0`: 100 → 0 % of 4"


def test_where_nothing_changed_that_is_all_that_is_said() -> None:
    skipped = "Nothing has changed since version 7 was trained."
    result = {"version": 7, "is_live": True, "skipped": skipped}
    assert ending(ended("retrain", result)) == skipped


def test_results_stored_before_cases_were_counted_are_told_too() -> None:
    old = {key: value for key, value in LIVE["test"].items() if key != "cases"}
    assert "- `how_to`: 100 → 75 %" in ending(ended("retrain", LIVE | {"test": old}))


def test_a_reindex_is_told_on_a_line_with_the_first_problems_below() -> None:
    result = {
        "source": "wiki",
        "counts": {"indexed": 12, "unchanged": 480, "rejected": 5, "removed": 0},
        "problems": [f"page-{number}.html is empty" for number in range(5)],
        "is_complete": True,
    }
    assert ending(ended("reindex", result, key="wiki")).splitlines() == [
        "wiki: 12 indexed, 480 unchanged, 5 rejected, 0 removed in 3 s",
        "- page-0.html is empty",
        "- page-1.html is empty",
        "- page-2.html is empty",
        "- … and 2 more",
    ]


def test_a_failure_is_told_with_its_reason_and_an_unknown_result_by_its_state() -> None:
    failed = ended("reindex", None, "The folder is gone.", key="wiki")
    assert ending(failed) == "reindex wiki (job 4) failed after 3 s: The folder is gone."
    assert ending(failed) == line(failed)
    assert ending(ended("retrain", {"key": ""})) == "retrain (job 4) succeeded after 3 s"


def test_what_a_retraining_learnt_from_and_confuses_is_told_where_it_is_known() -> None:
    more = {"calibration_error": 0.02, "refused_outside": 0.5}
    test = LIVE["test"] | more | {"confusions": [["how_to", "thanks", 3]]}
    before = LIVE["live_test"] | {"calibration_error": 0.03}
    result = LIVE | {"test": test, "live_test": before, "examples": 90, "new": 7}
    said = ending(ended("retrain", result | {"refused": {"too many of one person": 4}}))
    assert "Calibration error 3.0 → 2.0 %, out of scope noticed 50.0 %.\n" in said
    assert "Most often taken for another: `how_to` for `thanks` 3 ×.\n" in said
    assert "Trained on 90 examples, 7 of them new.\n" in said
    assert "Ratings that gave no example: too many of one person 4.\n" in said


def test_a_candidate_that_could_not_be_used_is_told_with_the_reason() -> None:
    result = {"version": 8, "is_live": False, "test": None, "refusal": "It cannot be used."}
    assert ending(ended("retrain", result)) == "Version 8 stays out: It cannot be used."
