"""reStructuredText to Markdown, by docutils with Sphinx's roles and directives known."""

from copy import copy
from functools import cache
from typing import Any

from docutils import frontend, utils
from docutils.parsers.rst import Parser, roles
from docutils.transforms import references

from bot.errors import DocumentRejectedError
from ingest.markup.rest_nodes import Writer
from ingest.markup.rest_sphinx import teach
from ingest.markup.titles import Page

TRANSFORMS = (
    references.Substitutions,
    references.PropagateTargets,
    references.AnonymousHyperlinks,
    references.IndirectHyperlinks,
    references.Footnotes,
    references.ExternalTargets,
)
SETTINGS: dict[str, Any] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": False,
    "syntax_highlight": "none",
    "line_length_limit": 10_000_000,
    "smart_quotes": False,
}


def convert(text: str) -> Page:
    """A page of reStructuredText."""
    teach()
    known_roles = dict(roles._roles)  # type: ignore[attr-defined]
    parser = Parser()
    document = utils.new_document("page", copy(_settings()))
    try:
        parser.parse(text, document)
        for transform in TRANSFORMS:
            transform(document).apply()
        title = document.get("title", "")
        return Page(Writer(document).write(), title=title)
    except RecursionError as error:
        raise DocumentRejectedError("is nested too deeply") from error
    finally:
        # A role that one document defines is not one of the next.
        roles._roles.clear()  # type: ignore[attr-defined]
        roles._roles.update(known_roles)  # type: ignore[attr-defined]


@cache
def _settings() -> Any:
    """The defaults of docutils, from no file, and ours: to gather them takes as long as a page."""
    settings = frontend.get_default_settings(Parser)
    vars(settings).update(SETTINGS)
    return settings
