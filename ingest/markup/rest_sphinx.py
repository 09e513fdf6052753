"""Sphinx's roles and directives, as far as text goes: nothing is imported, included or run."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives, roles
from docutils.statemachine import StringList
from docutils.utils import unescape

from ingest.markup.titles import readable

CODE_ROLES = {
    "attr", "class", "cmd", "command", "const", "data", "envvar", "exc", "file", "func", "kbd",
    "keyword", "macro", "makevar", "meth", "mod", "obj", "option", "program", "regexp", "samp",
    "setting", "token", "type", "var",
}  # fmt: skip
CALLED = {"func", "meth"}
PYTHON = {"attr", "class", "const", "data", "exc", "func", "meth", "mod", "obj"}
PLACES = {"any", "doc", "download", "numref", "ref"}
TITLED = re.compile(r"(.+?)\s*<[^<>]+>", re.DOTALL)

LITERAL = {
    "code": "", "code-block": "", "code-cell": "", "code-tab": "", "console": "console",
    "digraph": "dot", "doctest": "pycon", "graph": "dot", "graphviz": "dot", "highlight-code": "",
    "ipython": "python", "literal": "", "mermaid": "mermaid", "plantuml": "plantuml",
    "productionlist": "", "prompt": "", "sourcecode": "", "terminal": "console",
    "testcode": "python", "testoutput": "", "uml": "plantuml",
}  # fmt: skip
DROPPED = {
    "autosummary", "bibliography", "contents", "currentmodule", "date", "default-domain",
    "highlight", "include", "index", "literalinclude", "meta", "module", "program", "raw",
    "sectnum", "section-numbering", "tabularcolumns", "target-notes", "testcleanup", "testsetup",
    "toctree",
}  # fmt: skip
ADMONITIONS = {
    "attention", "caution", "danger", "error", "hint", "important", "note", "tip", "warning",
    "seealso", "todo",
}  # fmt: skip
VERSIONS = {
    "versionadded": "Added in version", "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version", "versionremoved": "Removed in version",
}  # fmt: skip
OBJECTS = {
    "attribute", "class", "cmdoption", "confval", "data", "decorator", "describe",
    "enum", "envvar", "exception", "function", "macro", "member", "method", "classmethod",
    "object", "option", "property", "setting", "staticmethod", "struct", "type", "var",
}  # fmt: skip
UNLABELLED = {
    "cssclass",
    "glossary",
    "grid",
    "hlist",
    "ifconfig",
    "only",
    "rst-class",
    "tab-set",
    "tabs",
}


def read_role(
    name: str, rawtext: str, text: str, *_: Any, **__: Any
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """A role of Sphinx, or any other, as its text."""
    kind = name.lower().rpartition(":")[2]
    words = unescape(text)
    titled = TITLED.fullmatch(words)
    if titled:
        words = titled[1]
    elif words.startswith("~"):
        words = words.rpartition(".")[2].lstrip("~")
    elif kind in PLACES:
        words = readable(words.strip("/").replace(".", " ").replace(":", " "))
    words = words.lstrip("!." if kind in PYTHON else "!")
    if kind not in CODE_ROLES:
        return [nodes.inline(rawtext, words)], []
    called = "()" if kind in CALLED and not titled and not words.endswith(")") else ""
    return [nodes.literal(rawtext, words + called)], []


class Options(dict[str, Callable[[str], Any]]):
    """Options of a directive: those it does not know are no error."""

    def __missing__(self, name: str) -> Callable[[str], Any]:
        return directives.unchanged


class Kept(Directive):
    """A directive of an unknown kind: its label in bold, and its content."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar[Any] = Options({"class": directives.unchanged})

    def run(self) -> list[nodes.Node]:
        """What stands for the directive in the document."""
        label = self.label
        if not label or self.kind in UNLABELLED:
            return self.parse(() if label else self.arguments)
        strong = nodes.strong("", "", *self.words(" ".join(label.split())))
        return [nodes.paragraph("", "", strong), *self.parse()]

    @property
    def kind(self) -> str:
        """The name without a domain, such as the "py" of "py:class"."""
        return self.name.lower().rpartition(":")[2]

    @property
    def label(self) -> str:
        """What stands behind the name; content that follows without an empty line is none."""
        first = self.block_text.partition("\n")[0].partition("::")[2]
        return self.arguments[0] if self.arguments and first.strip() else ""

    def words(self, text: str) -> list[nodes.Node]:
        """Inline markup, parsed."""
        return self.state.inline_text(text, self.lineno)[0]

    @staticmethod
    def below(what: nodes.Element, content: list[Any], glue: str) -> list[nodes.Node]:
        """The content, its first paragraph opened by what it is about."""
        if not content or not isinstance(content[0], nodes.paragraph):
            return [nodes.paragraph("", "", what), *content]
        content[0].insert(0, [what, nodes.Text(glue)])
        return content

    def parse(self, above: Iterable[str] = ()) -> list[nodes.Node]:
        """The content, parsed, below other lines."""
        lines = [line for text in above for line in (*text.split("\n"), "")]
        holder = nodes.container()
        content = StringList([*lines, *self.content], source="page")
        self.state.nested_parse(content, self.content_offset, holder)
        return holder.children


class Dropped(Kept):
    """A directive that says nothing to a reader."""

    def run(self) -> list[nodes.Node]:
        """Nothing."""
        return []


class Noted(Kept):
    """A note or a change in a version: a bold word before its first paragraph."""

    def run(self) -> list[nodes.Node]:
        """The content, with what it is."""
        if self.kind in VERSIONS:
            version, *above = (self.arguments or [""])[0].split(None, 1) or [""]
            what = f"{VERSIONS[self.kind]} {version}"
        else:
            what = {"seealso": "See also"}.get(self.kind, self.kind.capitalize())
            above = self.arguments
        content = self.parse(above)
        return self.below(nodes.strong("", what.strip() + (":" if content else "")), content, " ")


class Described(Kept):
    """What a reference describes: its signatures as code, and its content."""

    def run(self) -> list[nodes.Node]:
        """Signatures and content; what autodoc would only import says nothing here."""
        if self.kind == "class" and not re.search(r"[A-Z.(]", self.label):
            return self.parse()
        content = self.parse()
        if self.kind.startswith("auto") and not content:
            return []
        signatures = (line.strip(" \\") for line in self.label.split("\n"))
        return self.below(nodes.literal("", ", ".join(filter(None, signatures))), content, ": ")


class Literal(Kept):
    """Code, in the language that the directive names."""

    def run(self) -> list[nodes.Node]:
        """One block of code, below its caption."""
        language, _, label = self.label.partition(" ")
        lines = [*(() if self.label else self.arguments), *self.content]
        code = "\n".join(lines)
        caption = self.options.get("caption") or (label if self.kind == "code-tab" else "")
        strong = nodes.strong("", "", *self.words(caption or ""))
        above: list[nodes.Node] = [nodes.paragraph("", "", strong)] if caption else []
        block = nodes.literal_block(code, code, language=LITERAL[self.kind] or language)
        return [*above, block] if code.strip() else above


_known_directive: Callable[..., Any] = directives.directive
_known_role: Callable[..., Any] = roles.role


def teach() -> None:
    """Make docutils find a role and a directive by any name; once for the process."""
    vars(directives)["directive"] = _find_directive
    vars(roles)["role"] = _find_role


def _find_role(name: str, language: Any, lineno: int, reporter: Any) -> tuple[Any, list[Any]]:
    if name.lower().rpartition(":")[2] in CODE_ROLES:
        return read_role, []
    return _known_role(name, language, lineno, reporter)[0] or read_role, []


def _find_directive(name: str, language: Any, document: Any) -> tuple[type[Directive], list[Any]]:
    kind = name.lower().rpartition(":")[2]
    known: type[Directive] | None = None
    if kind in LITERAL:
        known = Literal
    elif kind in DROPPED:
        known = Dropped
    elif kind in ADMONITIONS or kind in VERSIONS:
        known = Noted
    elif kind in OBJECTS or kind.startswith("auto"):
        known = Described
    elif known := _known_directive(name, language, document)[0]:
        known = _lenient(known)
    return known or Kept, []


@cache
def _lenient(known: type[Directive]) -> type[Directive]:
    """A directive of docutils that takes the options Sphinx and its extensions add."""
    options = Options(known.option_spec or {"class": directives.unchanged})
    return type(known.__name__, (known,), {"option_spec": options})
