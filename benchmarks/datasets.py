"""The tuning sets of ../shared/data as corpora: documents, questions with gold, and off topic."""

import csv
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SEED = 20
OFF_TOPIC_QUESTIONS = 200  # a sample of each set that is off topic

# A phone's manual may well speak of these, so a question about them proves nothing either way.
AMBIGUOUS_INTENTS = {
    *("apple_pay_or_google_pay", "change_pin", "lost_or_stolen_phone", "passcode_forgotten"),
    *("pin_blocked", "pin_change", "directions", "current_location", "translate", "travel_alert"),
    *("meeting_schedule", "schedule_meeting"),
}
CHATTER_DOMAINS = {"home", "meta", "small_talk", "utility"}


class SkipBenchmark(Exception):  # noqa: N818 it is news, not a failure
    """A part of the benchmark cannot run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Doc:
    """One document to index."""

    uri: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Q:
    """A question, the documents that hold its answer, and answers word for word where known."""

    text: str
    gold: frozenset[str]
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Corpus:
    """A knowledge base to ask; `near_topic` are questions about a neighbouring product."""

    name: str
    documents: list[Doc]
    questions: list[Q]
    off_topic: dict[str, list[str]] = field(default_factory=dict)
    near_topic: dict[str, list[str]] = field(default_factory=dict)

    def sample(self, count: int, seed: int = SEED) -> "Corpus":
        """The same corpus with at most `count` of its questions."""
        return replace(self, questions=sample(self.questions, count, seed))


def all_corpora() -> list[Corpus]:
    """Every corpus; raises SkipBenchmark where the tuning sets are absent."""
    return [squad(), squad_half(), emanual_s10(), covid_faq()]


def squad() -> Corpus:
    """24 articles of SQuAD 1.1 dev, one document a paragraph, titled by its article."""
    articles = squad_articles()
    off_topic = {"banking77": banking77(), "clinc150": clinc150(), "askubuntu": askubuntu()}
    return Corpus("squad", _documents(articles), _questions(articles), off_topic)


def squad_half(seed: int = SEED) -> Corpus:
    """Twelve of the articles; what is asked about the other twelve is off topic."""
    articles = squad_articles()
    inside = set(random.Random(seed).sample(sorted(articles), len(articles) // 2))
    kept = {title: articles[title] for title in articles if title in inside}
    left_out = {title: articles[title] for title in articles if title not in inside}
    asked = [question.text for question in _questions(left_out)]
    off_topic = {"squad articles left out": sample(asked, 2 * OFF_TOPIC_QUESTIONS)}
    return Corpus("squad_half", _documents(kept), _questions(kept), off_topic)


def emanual_s10() -> Corpus:
    """A phone's manual; questions about Ubuntu stand for a neighbouring product."""
    documents = [Doc(r["id"], r["title"], r["text"]) for r in _jsonl("emanual_s10/corpus.jsonl")]
    questions = [
        Q(row["question"], frozenset(row["gold"]), (row["answer"],))
        for row in _jsonl("emanual_s10/questions.jsonl")
    ]
    off_topic = {"banking77": banking77(), "clinc150": clinc150(), "squad": squad_questions()}
    return Corpus("emanual_s10", documents, questions, off_topic, {"askubuntu": askubuntu()})


def covid_faq() -> Corpus:
    """A FAQ, its questions as titles, asked by paraphrases; gold is each entry so titled."""
    rows = list(_csv("covid_faq/faq_covidbert.csv"))
    documents = [
        Doc(f"covid_faq/{i}", r["question"].strip(), r["answer"].strip())
        for i, r in enumerate(rows)
    ]
    titled = defaultdict(set)
    for document in documents:
        titled[_normalised(document.title)].add(document.uri)
    gold: dict[str, set[str]] = defaultdict(set)
    for pair in _csv("covid_faq/eval_question_similarity_en.csv"):
        if pair["similar"].startswith("1"):
            gold[pair["question_2"].strip()] |= titled[_normalised(pair["question_1"])]
    questions = [Q(text, frozenset(uris)) for text, uris in gold.items() if uris]
    off_topic = {
        "banking77": banking77(),
        "clinc150": clinc150(),
        "askubuntu": askubuntu(),
        "squad": squad_questions(),
    }
    return Corpus("covid_faq", documents, questions, off_topic)


def squad_articles() -> dict[str, list[dict]]:
    """Title → paragraphs, titles with spaces for underscores."""
    data = json.loads(_path("squad/dev-v1.1.tune24.json").read_text())["data"]
    return {article["title"].replace("_", " "): article["paragraphs"] for article in data}


def squad_questions(count: int = OFF_TOPIC_QUESTIONS) -> list[str]:
    """Questions about the 24 articles, for corpora of another kind."""
    return sample([question.text for question in _questions(squad_articles())], count)


def banking77(count: int = OFF_TOPIC_QUESTIONS) -> list[str]:
    """Questions of bank customers, less those that a phone's manual could answer."""
    rows = _csv("banking77/train.csv")
    kept = [row["text"].strip() for row in rows if row["category"] not in AMBIGUOUS_INTENTS]
    return sample(kept, count)


def clinc150(count: int = OFF_TOPIC_QUESTIONS) -> list[str]:
    """Requests to an assistant, less chatter and those that a phone's manual could answer."""
    domains = json.loads(_path("clinc150/domains.json").read_text())
    dropped = AMBIGUOUS_INTENTS.union(*(domains[domain] for domain in CHATTER_DOMAINS))
    rows = json.loads(_path("clinc150/tune_only.json").read_text())["val"]
    return sample([text for text, intent in rows if intent not in dropped], count)


def askubuntu() -> list[str]:
    """All 162 questions about Ubuntu."""
    rows = json.loads(_path("nlu_corpora/AskUbuntuCorpus.json").read_text())["sentences"]
    return [row["text"].strip() for row in rows]


def sample(items: list[T], count: int, seed: int = SEED) -> list[T]:
    """At most `count` of the items, always the same, in their order."""
    chosen = random.Random(seed).sample(range(len(items)), min(count, len(items)))
    return [items[i] for i in sorted(chosen)]


def _documents(articles: dict[str, list[dict]]) -> list[Doc]:
    return [
        Doc(f"squad/{title}/{i}", title, paragraph["context"].strip())
        for title, paragraphs in articles.items()
        for i, paragraph in enumerate(paragraphs)
    ]


def _questions(articles: dict[str, list[dict]]) -> list[Q]:
    return [
        Q(asked["question"].strip(), frozenset({f"squad/{title}/{i}"}), _answers(asked["answers"]))
        for title, paragraphs in articles.items()
        for i, paragraph in enumerate(paragraphs)
        for asked in paragraph["qas"]
    ]


def _answers(answers: list[str | dict]) -> tuple[str, ...]:
    texts = (answer if isinstance(answer, str) else answer["text"] for answer in answers)
    return tuple(dict.fromkeys(texts))


def _normalised(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def _path(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        raise SkipBenchmark(
            f"the tuning set {path} is absent: quality is measured only where "
            "../shared/data lies beside the repository"
        )
    return path


def _jsonl(name: str) -> Iterator[dict]:
    with _path(name).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _csv(name: str) -> Iterator[dict[str, str]]:
    with _path(name).open(encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)
