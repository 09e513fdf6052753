"""Quoted answers: whole units, in order, from the best passages, each cited."""

from hypothesis import given
from hypothesis import strategies as st

from bot.messages import Confidence, Outcome, Passage, Scores, Unit, UnitKind
from bot.rag.extractive import abstain, quote

SURE = Confidence(0.9, 0.9)


def passage(number: int, *parts: tuple[str, str, float], fused: float = 1.0) -> Passage:
    """A passage of (kind, text, cosine) parts."""
    body, units = "", []
    for kind, text, cosine in parts:
        body += "\n\n" if body else ""
        units.append(Unit(len(body), len(body) + len(text), UnitKind(kind), cosine, 0.0))
        body += text
    return Passage(
        number, "handbook", f"{number}.md", f"https://x/{number}", f"Title {number}", ("Part",),
        body, Scores(0.7, 5.0, 0.8, fused), tuple(units),
    )  # fmt: skip


def test_the_best_sentences_are_quoted_in_the_order_of_the_document() -> None:
    found = [passage(1, ("s", "First.", 0.6), ("s", "Noise.", 0.0), ("s", "Third.", 0.7))]
    answer = quote(found, SURE, 2)
    assert answer.outcome is Outcome.ANSWERED
    assert answer.text == "First.\n\n…\n\nThird. [1]"
    assert [c.url for c in answer.citations] == ["https://x/1"]


def test_each_passage_is_cited_by_its_own_number() -> None:
    answer = quote(
        [passage(1, ("s", "One.", 0.6)), passage(2, ("s", "Two.", 0.7), fused=0.9)], SURE, 3
    )
    assert answer.text == "Two. [1]\n\nOne. [2]"
    assert [(c.number, c.title) for c in answer.citations] == [(1, "Title 2"), (2, "Title 1")]


def test_what_is_far_below_the_best_is_left_out() -> None:
    found = [passage(1, ("s", "Best.", 0.8)), passage(2, ("s", "Far.", 0.1), fused=0.5)]
    assert quote(found, SURE, 3).text == "Best. [1]"


def test_a_colon_brings_what_it_announces() -> None:
    code = "```sh\nmake run\n```"
    found = [passage(1, ("s", "Start it with:", 0.8), ("c", code, 0.1), ("s", "More.", 0.1))]
    assert quote(found, SURE, 1).text == f"Start it with:\n\n{code}\n\n[1]"


def test_code_brings_the_sentence_that_announces_it() -> None:
    code = "```sh\nmake run\n```"
    found = [passage(1, ("s", "Start it with:", 0.1), ("c", code, 0.8))]
    assert quote(found, SURE, 1).text == f"Start it with:\n\n{code}\n\n[1]"


def test_abstaining_names_the_nearest_titles_and_a_person() -> None:
    answer = abstain([passage(1, ("s", "One.", 0.2)), passage(1, ("s", "One.", 0.2))], SURE)
    assert answer.outcome is Outcome.ABSTAINED
    assert "not sure" in answer.text
    assert answer.text.count("Title 1 › Part [1]") == 1
    assert "ask a person" in answer.text
    assert abstain([], SURE).citations == ()


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from("sict"), st.text(min_size=1), st.floats(-1, 1)), min_size=1
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 5),
)
def test_every_quote_is_whole_and_every_mark_has_its_citation(
    bodies: list[list[tuple[str, str, float]]], max_quotes: int
) -> None:
    found = [passage(number, *parts) for number, parts in enumerate(bodies)]
    answer = quote(found, SURE, max_quotes)
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))
    rest = answer.text
    for citation in answer.citations:
        quoted, mark, rest = rest.partition(f"[{citation.number}]")
        assert mark
        source = next(p for p in found if p.url == citation.url)
        for run in quoted.strip().split("\n\n…\n\n"):
            assert run.strip() in source.text
    assert not rest or answer.citations
