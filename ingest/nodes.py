"""Our splitting by headings as a LlamaIndex node parser: documents in, one node a chunk out."""

from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.node_parser import NodeParser
from llama_index.core.node_parser.text.utils import split_by_sentence_tokenizer
from llama_index.core.schema import BaseNode, Document, NodeRelationship, TextNode
from pydantic import PrivateAttr

from ingest.splitting import Chunk, CountTokens, Splitter


class HeadingNodeParser(NodeParser):
    """Splits Markdown documents by headings into nodes of about 200 tokens.

    A document carries its title in `metadata["title"]`; a node carries the `Chunk` it holds in
    `metadata["chunk"]`.
    """

    _splitter: Splitter = PrivateAttr()

    def __init__(self, count_tokens: CountTokens) -> None:
        super().__init__(include_prev_next_rel=False)
        split: Callable[[str], list[str]] = split_by_sentence_tokenizer()
        self._splitter = Splitter(count_tokens, lambda text: [s.strip() for s in split(text)])

    def _parse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **_: Any
    ) -> list[BaseNode]:
        return [
            TextNode(
                text=chunk.text,
                metadata={"chunk": chunk},
                relationships={NodeRelationship.SOURCE: node.as_related_node_info()},
            )
            for node in nodes
            for chunk in self._splitter.split(node.metadata["title"], node.get_content())
        ]


def chunks_of(parser: HeadingNodeParser, title: str, markdown: str) -> list[Chunk]:
    """The chunks of one document."""
    nodes = parser.get_nodes_from_documents([Document(text=markdown, metadata={"title": title})])
    return [node.metadata["chunk"] for node in nodes]
