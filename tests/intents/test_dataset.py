"""Which examples train and which test."""

from hypothesis import given
from hypothesis import strategies as st

from bot.intents.catalog import load_catalog
from bot.intents.dataset import Example, examples_of, folds, split

TEXTS = st.lists(
    st.text("abcdefgh ", min_size=1).filter(str.strip),
    min_size=2, max_size=60, unique_by=lambda text: " ".join(text.split()),
)  # fmt: skip


@given(TEXTS, TEXTS)
def test_every_example_is_on_one_side_and_every_intent_on_both(
    first: list[str], second: list[str]
) -> None:
    examples = [Example(f"1 {text}", "first") for text in first]
    examples += [Example(f"2 {text}", "second") for text in second]
    parts = split(examples)
    assert sorted(map(str, parts.training + parts.test)) == sorted(map(str, examples))
    for intent in ("first", "second"):
        assert any(example.intent == intent for example in parts.training)
        assert any(example.intent == intent for example in parts.test)


def test_new_examples_move_no_old_one_to_the_other_side() -> None:
    examples = examples_of(load_catalog())
    before = split(examples)
    after = split([*examples, *(Example(f"another {n}", "question") for n in range(500))])
    assert set(before.test) <= set(after.test)
    assert set(before.training) <= set(after.training)
    assert 0.05 < len(after.test) / (len(after.test) + len(after.training)) < 0.15


@given(TEXTS, st.integers(2, 5))
def test_folds_are_alike_in_size_for_every_intent(texts: list[str], count: int) -> None:
    examples = [Example(text, "even" if n % 2 else "odd") for n, text in enumerate(texts)]
    assigned = folds(examples, count)
    for intent in ("even", "odd"):
        sizes = [0] * count
        for example, fold in zip(examples, assigned, strict=True):
            sizes[fold] += example.intent == intent
        assert max(sizes) - min(sizes) <= 1
