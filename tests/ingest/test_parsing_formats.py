"""Each format becomes the Markdown that its reader would have seen, and has a title."""

from collections.abc import Iterator

import pytest

from ingest.parsing import Parser


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as shared:
        yield shared


def markdown(parser: Parser, name: str, text: str) -> str:
    return parser.parse(name, text.encode()).markdown


MARKDOWN = {
    "front matter goes": ("---\na: !!python/object:os.system x\n---\nText", "Text"),
    "a rule is no front matter": ("---\n\nText\n\n---\n\nMore", "---\n\nText\n\n---\n\nMore"),
    "comments go": ("<!-- a\n```\nb -->\nText <!-- c -->`<!-- d -->`", "Text `<!-- d -->`"),
    "code stays": (
        "```html\n<b>x</b> <!-- y --> [r]\n```",
        "```html\n<b>x</b> <!-- y --> [r]\n```",
    ),
    "indented code stays": ("a\n\n    <b>x</b>\n\n    # y", "a\n\n    <b>x</b>\n\n    # y"),
    "code in a list": ("- a\n\n  ```\n  <i>\n  ```\n", "- a\n\n  ```\n  <i>\n  ```"),
    "tags go": ("A <b class='x'>bold</b> word<br>new", "A bold word\nnew"),
    "placeholders show": ("Open <your-domain> now", "Open `<your-domain>` now"),
    "images are words": ("![a pic](http://evil/?q=1) ![b][c]", "a pic b"),
    "references are inlined": (
        "[T][a] [a] [b]\n\n[A]: http://x 't'",
        "[T](http://x) [a](http://x) [b]",
    ),
    "scripts are no targets": ("[a](javascript:x) <a href='data:x'>b</a>", "a b"),
    "html links": ('<a href="/x"><img alt="Logo"></a>', "[Logo](/x)"),
    "html tables": ("<table><tr><td>a<td>b</table>", "| a | b |\n| --- | --- |"),
    "html headings": ("<h2 align=center>\n A <i>b</i></h2>\ntext", "## A b\n\ntext"),
    "hidden text goes": ("a<p style='display:none'>x<p>y</p></p><p>b</p>", "a\n\nb"),
    "scripts go": ("a\n\n<script>\nx\n\n    y\n</script>\n\nb", "a\n\nb"),
    "mkdocs notes": ('!!! note "Mind"\n    a\n\n        code', "**Mind**\n\na\n\n    code"),
    "mkdocs tabs": ('=== "Linux"\n\n    ```\n    ls\n    ```', "**Linux**\n\n```\nls\n```"),
    "docusaurus notes": (":::tip\na\n:::\nb", "**Tip:**\na\n\nb"),
    "github notes": ("> [!NOTE]\n> a", "> **Note:**\n> a"),
    "entities": ("a &mdash; b&nbsp;c &lt;b&gt;", "a — b c &lt;b&gt;"),
    "headings stay": ("# A #\n\nB\n===\n\n## C {#c}", "# A #\n\nB\n===\n\n## C"),
}


@pytest.mark.parametrize(("source", "expected"), MARKDOWN.values(), ids=MARKDOWN)
def test_markdown_keeps_what_a_reader_sees(parser: Parser, source: str, expected: str) -> None:
    assert markdown(parser, "a.md", source) == expected + "\n"


def test_mdx_loses_its_components_but_not_their_text(parser: Parser) -> None:
    source = (
        "import X from 'y'\n\nexport const a = {\n  b: 1\n}\n\n"
        "<Tabs>\n  <Tab\n    title='Mac'\n  >\n    Text {/* gone */}\n\n"
        "    ```sh\n    ls <X>\n    ```\n  </Tab>\n</Tabs>\n\n"
        "1. One\n\n   <Note>noted</Note>\n"
    )
    expected = "**Mac**\n\nText \n\n```sh\nls <X>\n```\n\n1. One\n\n   noted\n"
    assert markdown(parser, "a.mdx", source) == expected


REST = {
    "headings": ("A\n=\n\nB\n-\n\nC\n-\n", "# A\n\n## B\n\n## C"),
    "roles": (
        ":ref:`app-context` :doc:`Set up </install>` :meth:`~a.B.run` :x:`any` ``a  b``",
        "App context Set up `run()` any `a b`",
    ),
    "links": ("`T <http://x>`_ and r_\n\n.. _r: http://y", "[T](http://x) and [r](http://y)"),
    "code": (
        ".. code-block:: python\n   :linenos:\n\n   a\n\nb::\n\n  c",
        "```python\na\n```\n\nb:\n\n```\nc\n```",
    ),
    "notes": (".. note:: Mind\n   this.", "**Note:** Mind this."),
    "versions": (".. versionadded:: 2.0\n   New.", "**Added in version 2.0:** New."),
    "tabs": (".. tabs::\n\n   .. tab:: Mac\n\n      text", "**Mac**\n\ntext"),
    "unknown": (".. strange:: Label\n   :o: 1\n\n   Kept.", "**Label**\n\nKept."),
    "signatures": (
        ".. py:function:: f(a)\n\n   Does.\n\n   :param a: x",
        "`f(a)`: Does.\n\n- **param a**: x",
    ),
    "nothing to read": (".. toctree::\n\n   a\n\n.. autoclass:: B\n   :members:\n\ntext", "text"),
    "no files": (
        ".. include:: /etc/passwd\n\n.. csv-table::\n   :file: /etc/passwd\n\ntext",
        "text",
    ),
    "no raw": (
        ".. raw:: html\n\n   <b>\n\n.. role:: h(raw)\n   :format: html\n\n:h:`<b>`",
        "`<b>`",
    ),
    "lists": ("- a\n\n  - b\n\n3. c\n4. d", "- a\n  - b\n\n3. c\n4. d"),
    "definitions": ("t\n  d\n\nu\n  e\n\n  f", "- **t**: d\n\n**u**: e\n\nf"),
    "fields": (":orphan:\n:Key: value", "- **Key**: value"),
    "tables": ("== ==\na  b\n== ==\n1  x|\n== ==", "| a | b |\n| --- | --- |\n| 1 | x\\| |"),
    "broken tables": ("= =\na b\n= \n", "```\n= =\na b\n=\n```"),
    "substitutions": ("|v| |w|\n\n.. |v| replace:: 1", "1 w"),
    "images": (".. image:: x.png\n   :alt: A pic", "A pic"),
    "syntax by accident": ("\\# a\n\n<b> c", "\\# a\n\n`<b>` c"),
}


@pytest.mark.parametrize(("source", "expected"), REST.values(), ids=REST)
def test_rest_keeps_its_text_and_prints_no_complaint(
    parser: Parser, source: str, expected: str
) -> None:
    assert markdown(parser, "a.rst", source) == expected + "\n"


def test_a_role_of_one_document_is_not_one_of_the_next(parser: Parser) -> None:
    markdown(parser, "a.rst", ".. role:: x(code)\n.. default-role:: code\n\n:x:`a`")
    assert markdown(parser, "b.rst", ":x:`a` `b`") == "a b\n"


HTML = {
    "boilerplate goes": ("<nav>n</nav><header>h</header><p>Text</p><footer>f</footer>", "Text"),
    "main is preferred": ("<div>side</div><main><p>The long text</main>", "The long text"),
    "a small main is not": ("<main>x</main><p>The long text", "x\n\nThe long text"),
    "hidden text goes": (
        "<p hidden>a</p>b<i aria-hidden=true>c</i><b style='DISPLAY: none'>d</b>e",
        "be",
    ),
    "a form around all stays": ("<form><p>Text</p></form>", "Text"),
    "headings": ("<h1>A <a class=headerlink href=#a>¶</a></h1><h3>B</h3>", "# A\n\n### B"),
    "lists": ("<ul><li>a<ol start=3><li>b</ol><li><p>c", "- a\n  3. b\n- c"),
    "code": (
        "<div class='highlight-py'><pre><span>a</span>\n b</pre></div>",
        "```py\na\n b\n```",
    ),
    "tables": (
        "<table><tr><th>A<th>B<tr><td rowspan=2>x|y<td>1<tr><td>2</table>",
        "| A | B |\n| --- | --- |\n| x\\|y | 1 |\n| x\\|y | 2 |",
    ),
    "definitions": ("<dl><dt>t<dd>d</dl>", "- **t**: d"),
    "links": (
        "<base href=http://evil/><a href='/a b'>c</a> <a href='javascript:x'>d</a>",
        "[c](/a%20b) d",
    ),
    "inline": ("<b>a</b> <em>b</em> <code>c</code> <img alt=d><br>e", "**a** *b* `c` d\ne"),
    "syntax by accident": ("<p># a<p>1. b<p>&lt;script&gt; c", "\\# a\n\n1\\. b\n\n`<script>` c"),
    "entities": ("<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><p>&a;", "]>\n\n&a;"),
}


@pytest.mark.parametrize(("source", "expected"), HTML.values(), ids=HTML)
def test_html_keeps_the_text_of_the_page(parser: Parser, source: str, expected: str) -> None:
    assert markdown(parser, "a.html", source) == expected + "\n"


TEXT = {
    "paragraphs stay": ("One\ntwo\n\nThree", "One\ntwo\n\nThree"),
    "underlined headings": ("Guide\n=====\n\nPart\n----\ntext", "# Guide\n\n## Part\n\ntext"),
    "no heading by accident": ("# a\n\na long line\n---\nb", "\\# a\n\na long line\n\nb"),
    "no fence by accident": ("```\na", "\\```\na"),
    "no tag by accident": ("<b> c", "`<b>` c"),
}


@pytest.mark.parametrize(("source", "expected"), TEXT.values(), ids=TEXT)
def test_text_turns_into_no_syntax(parser: Parser, source: str, expected: str) -> None:
    assert markdown(parser, "a.txt", source) == expected + "\n"


@pytest.mark.parametrize(
    ("name", "source", "title"),
    [
        ("a.md", '---\ntitle: "A: \\"b\\"" # c\n---\n# H', 'A: "b"'),
        ("a.md", "---\ntitle: !!python/object/apply:os.system [x]\n---\n# H", "H"),
        ("a.md", "---\ntitle: >\n  two\n  lines\n---\nx", "two lines"),
        ("a.md", "+++\ntitle = 'T'\n+++\nx", "T"),
        ("a.md", "```\n# no\n```\n\nThe *real* `one`\n===\n", "The real one"),
        ("a.md", "<h1>In <b>HTML</b></h1>", "In HTML"),
        ("a.rst", "==\nHi\n==\n\nx", "Hi"),
        ("a.html", "<title>Site</title><h1>Page</h1>", "Page"),
        ("a.html", "<title>Site</title><p>x", "Site"),
        ("a.txt", "Short title\n\nx", "Short title"),
        ("docs/02-getting_started.md", "x", "Getting started"),
        ("docs/set-up/index.rst", "x", "Set up"),
        (".md.md", "x", ".md"),
    ],
)
def test_a_title_is_what_the_document_says_else_its_name(
    parser: Parser, name: str, source: str, title: str
) -> None:
    assert parser.parse(name, source.encode()).title == title
