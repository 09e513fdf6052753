"""Lists with something to do about each line: topics to answer, approved answers to renew."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from bot import approving, topics
from bot.approving import due_at
from bot.cases import FINDINGS
from bot.clustering import is_possible
from bot.errors import CommandError
from bot.messages import EVERYONE
from bot.overviews import ago, literal
from bot.storage import approved, gaps
from bot.storage.approved import Approved
from bot.topics import Encode, Topic

SHOWN = 20
WANTED = re.compile(r"(renew|withdraw) ([0-9]{1,18})")
DRAFT, EDIT, RENEW, WITHDRAW = "draft_answer", "edit_answer", "renew_answer", "withdraw_answer"
WITHDRAWAL = "Questions will not be answered from it any more."
UNGROUPED = (
    "Alike questions are not put together here: that needs scikit-learn, which comes with "
    "`pip install 'supportbot[train]'`."
)
NO_ANSWERS = (
    "No answer is approved yet. Draft one from a question of `gaps`, or below a question that a "
    "person has answered."
)


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to press: what it does with which number; `confirm` is what it asks before."""

    action: str
    label: str
    number: int
    confirm: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a list, Markdown, and what may be done about it."""

    text: str
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list below a lead, both Markdown."""

    lead: str
    items: tuple[Item, ...] = ()

    @property
    def text(self) -> str:
        """All of it, where nothing can be pressed."""
        lines = "\n".join(item.text for item in self.items)
        return f"{self.lead}\n\n{lines}" if lines else self.lead


async def gaps_listing(
    engine: AsyncEngine, encode: Encode | None, days: int = gaps.DAYS
) -> Listing:
    """The topics that the documents did not answer well, the most asked first."""
    found = await topics.find(engine, encode, days)
    if not found.topics:
        return Listing(f"No question of the last {days} days was left without a good answer.")
    lead = f"Left without a good answer within {days} days, the most frequent first:"
    if encode and not found.is_clustered and not is_possible():
        lead = f"{UNGROUPED}\n\n{lead}"
    return Listing(lead, topic_items(found.topics[:SHOWN]))


def topic_items(shown: Sequence[Topic]) -> tuple[Item, ...]:
    """A numbered line for each topic, which an answer may be drafted to."""
    return tuple(
        Item(_topic_line(number, topic), (Offer(DRAFT, "Draft an answer", topic.turn_id),))
        for number, topic in enumerate(shown, start=1)
    )


async def answers_command(
    engine: AsyncEngine, words: str, by: str, renew_after_days: int
) -> Listing:
    """The approved answers; behind "renew" or "withdraw" one of them, and what was done.

    Raises:
        CommandError: the words say neither.
        AnswerError: there is no such answer.
    """
    if not words:
        return await answers_listing(engine, renew_after_days)
    wanted = WANTED.fullmatch(words)
    if wanted is None:
        raise CommandError("Write `answers`, `answers renew 3` or `answers withdraw 3`.")
    number = int(wanted[2])
    if wanted[1] == "renew":
        await approving.renew(engine, number, by)
        return Listing(f"Answer {number} is renewed for {renew_after_days} days.")
    await approving.withdraw(engine, number, by)
    return Listing(f"Answer {number} is withdrawn: no question finds it any more.")


async def answers_listing(engine: AsyncEngine, renew_after_days: int) -> Listing:
    """The approved answers, those due for renewal first."""
    found = await approved.published(engine)
    if not found:
        return Listing(NO_ANSWERS)
    now = datetime.now(UTC)
    due = [answer for answer in found if due_at(answer, renew_after_days) <= now]
    counted = "1 is" if len(due) == 1 else f"{len(due)} are"
    lead = f"**Approved answers**: {len(found)}, of which {counted} due for renewal."
    return Listing(lead, tuple(_answer_item(answer, renew_after_days) for answer in found[:SHOWN]))


async def announced(engine: AsyncEngine, kind: str, content: Mapping[str, Any]) -> Listing | None:
    """What is told of an announcement now; None where all that it was about is gone."""
    return await (_digest if kind == "gaps" else _evaluation)(engine, content)


async def _digest(engine: AsyncEngine, content: Mapping[str, Any]) -> Listing | None:
    found = [_topic(each) for each in content["topics"]]
    ids = [number for topic in found for number in (topic.turn_id, *topic.example_ids)]
    asked = await gaps.questions(engine, ids)
    told = [_worded(topic, asked) for topic in found]
    shown = [topic for topic in told if topic is not None]
    due = content["due"]
    if not shown and not due:
        return None
    lead = []
    if shown:
        more = f", and {content['more']} more topics" if content["more"] else ""
        lead.append(
            f"**Left without a good answer in the last {content['days']} days**, the most frequent "
            f"first{more}:"
        )
    if due:
        answers = "1 approved answer is" if due == 1 else f"{due} approved answers are"
        lead.insert(0, f"{answers} due for renewal: `/supportbot answers`")
    return Listing("\n\n".join(lead), topic_items(shown))


async def _evaluation(engine: AsyncEngine, content: Mapping[str, Any]) -> Listing | None:
    ids = [turn for turn, _ in (*content["better"], *content["worse"])]
    asked = await gaps.questions(engine, ids)
    lines = case_lines(content, asked)
    if not lines:
        return None
    return Listing("\n".join(lines))


def case_lines(content: Mapping[str, Any], asked: Mapping[int, str]) -> list[str]:
    """What got better or worse and after which changes, as Markdown; empty where that is nothing.

    `asked` are the questions of the turns that are still stored.
    """
    lines = []
    for name in ("worse", "better"):
        known = [(asked[turn], finding) for turn, finding in content[name] if turn in asked]
        if known:
            lines += ["", f"**Got {name}**", ""]
        lines += [f"- {literal(question)}: {FINDINGS[finding]}" for question, finding in known]
    if not lines:
        return []
    because = f" after a change of: {', '.join(content['because'])}" if content["because"] else ""
    passed = f"{content['passed']} of {content['cases']} cases pass"
    return [f"**Answers that people rated down, asked again{because}**: {passed}.", *lines]


def _topic(values: Mapping[str, Any]) -> Topic:
    ids = tuple(values["example_ids"])
    return Topic(**{**values, "question": "", "examples": (), "example_ids": ids})


def _worded(topic: Topic, asked: Mapping[int, str]) -> Topic | None:
    """A topic with what people asked, as far as that is still stored; None where nothing is."""
    turns = [turn for turn in (topic.turn_id, *topic.example_ids) if turn in asked]
    if not turns:
        return None
    question, *examples = (asked[turn] for turn in turns)
    return replace(topic, question=question, examples=tuple(examples), turn_id=turns[0])


def _topic_line(number: int, topic: Topic) -> str:
    ways = (
        (topic.abstained, "not sure"),
        (topic.rated_down, "rated wrong or incomplete"),
        (topic.handed_over, "handed over"),
    )
    told = ", ".join(f"{count} × {way}" for count, way in ways if count)
    lines = [f"{number}. {literal(topic.question)} ({told})"]
    if topic.examples:
        lines.append(f"   - also: {' / '.join(literal(one, 80) for one in topic.examples)}")
    details = [_trend(topic)]
    if topic.nearest:
        details.append(f"nearest document: {literal(topic.nearest, 80)}")
    return "\n".join([*lines, f"   - {'; '.join(details)}"])


def _trend(topic: Topic) -> str:
    if not topic.before:
        return "new: nobody asked it in the same time before"
    sign = {True: "more than", False: "less than"}[topic.asked > topic.before]
    if topic.asked == topic.before:
        sign = "as often as"
    return f"{topic.asked} × now, {sign} before ({topic.before} ×)"


def _answer_item(answer: Approved, renew_after_days: int) -> Item:
    now = datetime.now(UTC)
    due = due_at(answer, renew_after_days)
    state = f"due for renewal since {due:%Y-%m-%d}" if due <= now else f"renew by {due:%Y-%m-%d}"
    parts = [
        f"{answer.id}. **{literal(answer.question)}**, by {literal(answer.author_name)}, confirmed "
        f"{ago(answer.confirmed_at, now)}, {state}"
    ]
    if answer.audience != {EVERYONE}:
        parts.append(f"for {literal(', '.join(sorted(answer.audience)))} only")
    if not answer.is_indexed:
        parts.append("being taken into the index")
    offers = (
        Offer(RENEW, "Renew", answer.id),
        Offer(EDIT, "Edit", answer.id),
        Offer(WITHDRAW, "Withdraw", answer.id, WITHDRAWAL),
    )
    return Item("; ".join(parts), offers)
