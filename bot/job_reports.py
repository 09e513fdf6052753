"""How jobs stand and how they ended, in the words people read; Markdown where they ended."""

from collections.abc import Mapping
from typing import Any

from bot.storage.jobs import Job

SHOWN_INTENTS = 5
SHOWN_CONFUSIONS = 3
SHOWN_PROBLEMS = 3

Figures = Mapping[str, Any]


def line(job: Job) -> str:
    """How the job stands, on one line."""
    what = f"{job.name} (job {job.id})"
    if job.state == "waiting":
        again = f" again, after {job.deaths} attempts that did not end" if job.deaths else ""
        return f"{what} waits to run{again}"
    if job.state == "running":
        done = "" if job.fraction is None else f", {job.fraction:.0%} done"
        left = "" if job.seconds_left is None else f", about {job.seconds_left:.0f} s left"
        note = f": {job.note}" if job.note else ""
        return f"{what} runs{done}{left}{note}"
    took = "" if job.seconds is None else f" after {job.seconds:.0f} s"
    if job.state == "failed":
        return f"{what} failed{took}: {job.failure}"
    return f"{what} {job.state}{took}"


def ending(job: Job) -> str:
    """How the job ended: what came out of it, where it was a retraining or a reindex."""
    if job.state == "succeeded" and job.result:
        if "version" in job.result:
            return retraining_summary(job.result)
        if "counts" in job.result:
            return reindex_summary(job.result, job.seconds)
        if "said" in job.result:
            return str(job.result["said"])
    return line(job)


def retraining_summary(result: Figures) -> str:
    """The gate's decision, the figures, and the intents that changed most."""
    version, test = result["version"], result.get("test")
    if result.get("skipped") or not test:
        refusal = result.get("refusal")
        outcome = f"stays out: {refusal}" if refusal else "was trained."
        return str(result.get("skipped") or f"Version {version} {outcome}")
    before = result.get("live_test")
    figures = (
        f"accuracy {_change(test, before, 'accuracy')}, macro F1 "
        f"{_change(test, before, 'macro_f1')} on {test['examples']} test examples"
    )
    if result["is_live"]:
        first = f"Version {version} is live: {figures}."
    else:
        first = f"Version {version} stays out: {result['refusal']} It has {figures}."
    if before is None:
        first += " No version that knows these intents was live to compare it with."
    return "\n".join([first, *_besides(result, test, before), *_intents(test, before)])


def reindex_summary(result: Figures, seconds: float | None = None) -> str:
    """The documents of a source by how they fared, and the first problems."""
    counts, problems = result["counts"], result.get("problems", [])
    took = "" if seconds is None else f" in {seconds:.0f} s"
    lines = [
        f"{result['source']}: {counts['indexed']} indexed, {counts['unchanged']} unchanged, "
        f"{counts['rejected']} rejected, {counts['removed']} removed{took}"
    ]
    lines += [f"- {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"- … and {len(problems) - SHOWN_PROBLEMS} more")
    return "\n".join(lines)


def _besides(result: Figures, test: Figures, before: Figures | None) -> list[str]:
    """Calibration, scope, the frequent confusions and what it learnt from, where they are known."""
    told = [
        f"{name} {_shares(test[key], (before or {}).get(key), digits=1)}"
        for key, name in (
            ("calibration_error", "calibration error"),
            ("kept_in_scope", "kept in scope"),
            ("refused_outside", "out of scope noticed"),
        )
        if test.get(key) is not None
    ]
    lines = [f"{', '.join(told)[:1].upper()}{', '.join(told)[1:]}."] if told else []
    if pairs := (test.get("confusions") or [])[:SHOWN_CONFUSIONS]:
        taken = ", ".join(f"`{right}` for `{wrong}` {times} ×" for right, wrong, times in pairs)
        lines.append(f"Most often taken for another: {taken}.")
    if "examples" in result:
        new = f", {result['new']} of them new" if result.get("new") else ""
        lines.append(f"Trained on {result['examples']} examples{new}.")
    if refused := result.get("refused"):
        reasons = ", ".join(f"{reason} {count}" for reason, count in refused.items())
        lines.append(f"Ratings that gave no example: {reasons}.")
    return ["", *lines] if lines else []


def _intents(test: Figures, before: Figures | None) -> list[str]:
    """The intents whose recall changed most, else the weakest, as a list."""
    recalls, cases = test["recalls"], test.get("cases", {})
    former = before["recalls"] if before else {}
    changes = {name: recalls[name] - former[name] for name in recalls if name in former}
    changed = sorted((name for name in changes if changes[name]), key=lambda n: -abs(changes[n]))
    weak = sorted((name for name in recalls if recalls[name] < 1), key=lambda n: recalls[n])
    title, shown = ("Changed most", changed) if before else ("Weakest", weak)
    if not shown:
        return ["", "No intent's recall has changed." if before else "Every test was passed."]
    return [
        "",
        f"{title}, by the share of an intent's examples that is recognised:",
        *(
            f"- `{name}`: {_shares(recalls[name], former.get(name))}"
            + (f" of {cases[name]}" if name in cases else "")
            for name in shown[:SHOWN_INTENTS]
        ),
    ]


def _change(test: Figures, before: Figures | None, name: str) -> str:
    return _shares(test[name], before[name] if before else None, digits=1)


def _shares(after: float, before: float | None, digits: int = 0) -> str:
    """A share in percent, behind the one before it where there was one."""
    start = "" if before is None else f"{100 * before:.{digits}f} → "
    return f"{start}{100 * after:.{digits}f} %"
