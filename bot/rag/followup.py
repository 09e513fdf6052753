"""Makes a follow-up question stand alone: "and on Discord?" means what the last question meant.

Whether a question leans on what came before is judged by its words alone, so that one that does
not costs nothing.
"""

import asyncio
import logging
import re
from collections.abc import Sequence

from bot.messages import Exchange
from bot.rag.language_model import LanguageModel
from bot.rag.prompts import condensing

CONDENSE_SECONDS = 10.0
MAX_CHARACTERS = 4000
# With more words of content than this, a question says what it is about, also where it points back.
MAX_CONTENT = 4
# So many words of content replace something in the question before.
MAX_REPLACING = 3

WORD = re.compile(r"[^\W_]+(?:['’._-][^\W_]+)*")
POLITE = r"\s*(?:(?:ok(?:ay)?|yes|no|thanks?|thank you|hm+|cool|great)[,.!]*\s+)*"
# What begins a follow-up whatever comes behind it, and what does where little comes behind it.
LEANING = re.compile(POLITE + r"(?:and|or|but|also|what about|how about|same)\b", re.IGNORECASE)
PERHAPS_LEANING = re.compile(
    POLITE + r"(?:what if|what else|then|else|only|without|with|in|on|for|as|by|not)\b",
    re.IGNORECASE,
)
# "Is there a …?" points to nothing.
THERE_IS = re.compile(
    r"\b(?:is|are|was|were)n?[’']?t?\s+there\b|\bthere\s+(?:is|are)\b", re.IGNORECASE
)
# Words that point to something named before.
POINTING_WORDS = """
that this those these them they their theirs there then one ones another others same too its
"""
POINTING = frozenset(POINTING_WORDS.split())
# "It" alone proves nothing: "Does it phone home?" stands alone.
PRONOUNS = POINTING | {"it"}
# Words that say nothing of what a question is about.
EMPTY_WORDS = """
a about again all also always an and any anything are as at be been before but by can could did do
does doing done for from get gets getting go had has have having here happen happens how i if in
into is it just know like long make makes many may me mean means might more most much must my need
needs no not now of often on only or other our out please shall should show so some still such
supportbot take takes tell than the to up us use used using want was we were what when where which
who whom whose why will with work works would yes you your
"""
EMPTY = frozenset(EMPTY_WORDS.split()) | POINTING

log = logging.getLogger(__name__)


def is_plain(question: str) -> bool:
    """Whether a question plainly stands alone."""
    if continues(question):
        return False
    about = len(content(question))
    if about > MAX_CONTENT:
        return True
    words = {word.lower() for word in WORD.findall(THERE_IS.sub(" ", question))}
    is_leaning = bool(POINTING & words) or (about < 2 and bool(PERHAPS_LEANING.match(question)))
    return about > 0 and not is_leaning


def continues(question: str) -> bool:
    """Whether it begins as what goes on from another question: "and …", "what about …"."""
    return bool(LEANING.match(question))


def content(question: str) -> list[str]:
    """The words of a question that say what it is about, in lower case."""
    return [word for word in map(str.lower, WORD.findall(question)) if word not in EMPTY]


async def standalone(
    question: str, earlier: Sequence[Exchange], model: LanguageModel | None = None
) -> str:
    """A question that is not plain as one that stands alone; by the model, else by the rule."""
    if not earlier:
        return question
    if model is not None:
        prompt = condensing(question, earlier)
        try:
            async with asyncio.timeout(CONDENSE_SECONDS):
                said = " ".join((await model.complete(prompt.system, prompt.said)).split())
        except Exception as error:  # noqa: BLE001 each provider's client has its own
            log.warning(
                "a follow-up is joined by rule: the model failed (%s)", type(error).__name__
            )
        else:
            if said and len(said) <= MAX_CHARACTERS and prompt.fence not in said:
                return said
    return joined(question, [exchange.question for exchange in earlier])


def joined(question: str, earlier: Sequence[str]) -> str:
    """The last earlier question that stands alone with this one behind it (oldest first).

    What a short follow-up says takes the place of the last thing that the earlier one said, as in
    "on Slack?", "and on Discord?"; one with a pronoun needs it.
    """
    anchors = [asked for asked in earlier if is_plain(asked)]
    if not anchors:
        return question
    anchor = anchors[-1]
    said = [word for word in WORD.finditer(anchor) if word[0].lower() not in EMPTY]
    words = {word.lower() for word in WORD.findall(question)}
    is_other = 1 <= len(content(question)) <= MAX_REPLACING and not words & PRONOUNS
    if is_other and len(said) > 1:
        anchor = anchor[: said[-1].start()].rstrip() + anchor[said[-1].end() :]
    return f"{anchor} {question}"[-MAX_CHARACTERS:]
