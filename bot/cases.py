"""Cases asked again: whether what people rated down is answered better now."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from bot.assistant import Assistant
from bot.errors import SupportbotError
from bot.messages import EVERYONE, Answer, Conversation, Outcome, Person, Question
from bot.rag import followup
from bot.storage.cases import Case, Result

# Two answers are the same from this share of words in common on, in their order: what is quoted
# anew from the same sentences has more, another sentence of the same page less.
SAME = 0.9
MARK = re.compile(r"\[[0-9]+\]")
PERSON = "evaluation"
FINDINGS = {
    "cited": "cites the approved answer",
    "uncited": "does not cite the approved answer",
    "repeated": "is still answered as it was rated down",
    "changed": "is answered in another way",
    "unsure": "is no longer answered",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The cases that fare better or worse than before, by the ids of their turns."""

    better: tuple[Result, ...]
    worse: tuple[Result, ...]

    @property
    def is_empty(self) -> bool:
        """Whether all is as before."""
        return not self.better and not self.worse


def can_be_asked(case: Case) -> bool:
    """Whether the question stands alone: what it leaned on is not said again."""
    return followup.is_plain(case.question)


async def ask(assistant: Assistant, case: Case) -> Result | None:
    """How a case fares now; nothing of it is stored. None where it cannot be answered just now."""
    try:
        _, answer = await assistant.compose(question_of(case))
    except SupportbotError:
        return None
    if answer.outcome is Outcome.FAILED:
        return None
    return judge(case, answer, is_written=assistant.writer is not None)


def question_of(case: Case) -> Question:
    """The question as it was asked: with the documents that could be read there."""
    principals = {EVERYONE}
    channel = case.conversation.partition(":")[0]
    if case.platform != "terminal" and channel:
        principals.add(f"{case.platform}:{channel}")
    if case.person:
        principals.add(f"{case.platform}:{case.person}")
    place = Conversation(case.platform, f"{PERSON}:{uuid.uuid4()}", frozenset(principals))
    return Question(case.question, Person(case.platform, PERSON), place)


def judge(case: Case, answer: Answer, *, is_written: bool = False) -> Result:
    """Whether an answer cites what it must, else whether it is not the one that was rated down.

    A model words an answer anew each time, so one that `is_written` is the same where it comes from
    the same documents and these have not changed.
    """
    cited = cited_in(answer)
    if case.wanted is not None:
        is_cited = case.wanted in cited
        return Result(case.turn_id, is_cited, "cited" if is_cited else "uncited")
    if answer.outcome is not Outcome.ANSWERED:
        return Result(case.turn_id, True, "unsure")
    is_same = is_repeated(case.answer, answer.text)
    if is_written and cited == case.cited and case.is_unchanged:
        is_same = True
    return Result(case.turn_id, not is_same, "repeated" if is_same else "changed")


def cited_in(answer: Answer) -> frozenset[str]:
    """The documents that an answer cites, as "source/uri"."""
    cited = {(one.url, one.title, one.headings) for one in answer.citations}
    return frozenset(
        f"{passage.source}/{passage.uri}"
        for passage in answer.passages
        if (passage.url, passage.title, passage.headings) in cited
    )


def is_repeated(before: str, now: str) -> bool:
    """Whether two answers are the same but for their marks and a few words."""
    words, new = _words(before), _words(now)
    return words == new or SequenceMatcher(None, words, new, autojunk=False).ratio() >= SAME


def compare(before: Mapping[int, Result], now: Sequence[Result]) -> Comparison:
    """What has changed since the last evaluation; cases it did not know are left out."""
    known = [result for result in now if result.turn_id in before]
    changed = [one for one in known if one.is_passed != before[one.turn_id].is_passed]
    return Comparison(
        tuple(result for result in changed if result.is_passed),
        tuple(result for result in changed if not result.is_passed),
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", MARK.sub(" ", text).lower())
