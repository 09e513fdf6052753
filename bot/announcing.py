"""`python -m bot.announcing`: what failed lately, or the rated answers again, for the admins.

Runs as a worker's child and speaks as `bot.child` says. What it finds is posted by whichever
process serves a chat, once in each workspace.
"""

import argparse
import asyncio
import hashlib
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bot import cases, topics
from bot.app import App, open_app
from bot.child import TRY_AGAIN, end_with_parent, report, report_failure, report_result
from bot.cron import read_cron
from bot.errors import DatabaseError, SupportbotError
from bot.rag.prompts import CONDENSE, RULES
from bot.settings import load_settings
from bot.storage import announcements, approved
from bot.storage import cases as stored
from bot.storage.cases import Case, Result

DIGEST_DAYS = 7
DIGEST_TOPICS = 10

Tell = Callable[[float, str], None]


async def digest(app: App) -> dict[str, Any]:
    """Have the admins told what failed in the last week, once for each time that it is due."""
    found = await topics.find(app.engine, app.encoder.encode, DIGEST_DAYS)
    due = await approved.count_due(app.engine, app.settings.answers.renew_after_days)
    if not found.topics and not due:
        return {"said": "Every question of the week had a good answer; there is nothing to tell."}
    told = found.topics[:DIGEST_TOPICS]
    content = {
        "days": DIGEST_DAYS,
        "topics": [_numbers(topic) for topic in told],
        "more": len(found.topics) - len(told),
        "due": due,
    }
    cron = app.settings.gaps.digest
    now = datetime.now(UTC)
    moment = read_cron(cron).latest(now) if cron else now
    async with app.engine.begin() as connection:
        await announcements.add(connection, f"gaps {moment.isoformat()}", "gaps", content)
    return {"said": f"The admins are told of {len(told)} topics."}


async def evaluate(app: App, tell: Tell) -> dict[str, Any]:
    """Ask the cases again, and have the admins told of what got better or worse.

    Nothing is asked where neither the cases nor what answers them has changed.
    """
    found = [case for case in await stored.find(app.engine) if cases.can_be_asked(case)]
    conditions = await conditions_of(app, found)
    before = await stored.last_run(app.engine)
    if not found or (before and before.conditions == conditions):
        return {"said": "Nothing has changed since the rated answers were last evaluated."}
    results = await ask_all(app, found, tell)
    comparison = cases.compare(before.results if before else {}, results)
    content = {
        "better": [[result.turn_id, result.finding] for result in comparison.better],
        "worse": [[result.turn_id, result.finding] for result in comparison.worse],
        "because": changed(before.conditions if before else {}, conditions),
        "cases": len(results),
        "passed": sum(result.is_passed for result in results),
    }
    if len(results) < len(found):  # what could not be asked has to be asked the next time
        conditions = conditions | {"unasked": len(found) - len(results)}
    async with app.engine.begin() as connection:
        run = await stored.add_run(connection, conditions, results)
        if not comparison.is_empty:
            await announcements.add(connection, f"cases {run}", "cases", content)
    return content | {
        "said": f"{content['passed']} of {len(results)} cases pass; "
        f"{len(comparison.better)} got better, {len(comparison.worse)} worse."
    }


async def ask_all(app: App, found: Sequence[Case], tell: Tell) -> list[Result]:
    """How each case fares now, as far as it can be asked."""
    assistant, results = app.assistant(), []
    for number, case in enumerate(found):
        tell(number / len(found), f"{number} of {len(found)} cases")
        result = await cases.ask(assistant, case)
        if result is not None:
            results.append(result)
    return results


async def conditions_of(app: App, found: Sequence[Case]) -> dict[str, Any]:
    """What the answers depend on; where all is the same, so are they."""
    classifier = await app.live.current()
    settings = app.settings
    return {
        "encoder": app.encoder.manifest.fingerprint,
        "classifier": classifier.version if classifier else None,
        "model": [settings.llm, settings.llm_base_url],
        "prompt": _hash(RULES, CONDENSE),
        "settings": settings.answers.model_dump(exclude={"renew_after_days"})
        | settings.search.model_dump()
        | {"intents": settings.intents.min_confidence},
        "index": await stored.index_state(app.engine),
        "cases": _hash(*(f"{case.turn_id} {case.wanted}" for case in found)),
    }


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names of the conditions that are not as they were."""
    return [name for name in now if before and before.get(name) != now[name]]


def _numbers(topic: topics.Topic) -> dict[str, Any]:
    """A topic without what people wrote."""
    values = asdict(topic)
    return {name: values[name] for name in values if name not in {"question", "examples"}}


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def main() -> None:
    """Do what the command line says with the settings of this folder, as a job's child."""
    end_with_parent()
    parser = argparse.ArgumentParser(prog="bot.announcing")
    parser.add_argument("what", choices=("evaluate", "digest"))
    what = parser.parse_args().what
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")

    async def work() -> dict[str, Any]:
        async with open_app(load_settings()) as app:
            return await (digest(app) if what == "digest" else evaluate(app, report))

    try:
        report_result(asyncio.run(work()))
    except SupportbotError as error:
        report_failure(error)
        sys.exit(TRY_AGAIN if isinstance(error, DatabaseError) else error.exit_code)


if __name__ == "__main__":
    main()
