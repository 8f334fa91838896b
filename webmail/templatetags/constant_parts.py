"""Parts of templates that are the same for everybody are put together once in each language.

Invariants: a part is constant only if it is text, or words, addresses, static files and drawings named by literals;
what depends on the context stays a node of its own. A page prints some two hundred of the former, in a few dozen runs.
"""

from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

from django.template import Context, Template
from django.template.base import FilterExpression, Node, NodeList, TextNode, Variable
from django.template.defaulttags import CommentNode, URLNode
from django.template.library import SimpleNode
from django.template.loaders import cached
from django.templatetags.i18n import TranslateNode
from django.templatetags.static import StaticNode
from django.utils.translation import get_language

LITERAL_TAGS = frozenset({"icon", "unchanging"})  # of `mailroom`: the same result for the same literals


class Loader(cached.Loader):
    """Keeps templates compiled, their constant parts joined."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._joined: WeakSet[Template] = WeakSet()

    def get_template(self, template_name: str, skip: list[Any] | None = None) -> Template:
        template = super().get_template(template_name, skip)
        if template not in self._joined:
            join_constants(template.nodelist)
            self._joined.add(template)
        return template


class Constant(Node):
    """A run of nodes that need no context."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.token, self.origin = nodes[0].token, nodes[0].origin
        self.known: dict[str | None, str] = {}

    def render(self, context: Context) -> str:
        language = get_language()
        text = self.known.get(language)
        if text is None:
            text = self.known[language] = "".join([str(node.render_annotated(context)) for node in self.nodes])
        return text

    def render_annotated(self, context: Context) -> str:
        return self.render(context)


def join_constants(nodes: NodeList) -> None:
    """Joins runs of constant nodes, here and in all that lies within, in place."""
    joined: list[Node] = []
    run: list[Node] = []
    for node in nodes:
        if is_constant(node):
            run.append(node)
            continue
        joined += _joined(run)
        run = []
        joined.append(node)
        for inner in _inner(node):
            join_constants(inner)
    nodes[:] = joined + _joined(run)


def _joined(run: list[Node]) -> list[Node]:
    return [Constant(run)] if len(run) > 1 or (run and not isinstance(run[0], TextNode)) else run


def _inner(node: Node) -> Iterator[NodeList]:
    """The lists of nodes that a node holds; those of ``{% if %}`` stand in pairs with their conditions."""
    for value in vars(node).values():
        if isinstance(value, NodeList):
            yield value
    for _, inner in getattr(node, "conditions_nodelists", ()):
        yield inner


def is_constant(node: Node) -> bool:
    """Whether the node prints the same whatever the context, but for the language."""
    if isinstance(node, TextNode | CommentNode):
        return True
    if isinstance(node, TranslateNode):
        words = node.filter_expression
        return not (node.asvar or node.noop or node.message_context or words.filters) and _literal_words(words)
    if isinstance(node, StaticNode):
        return node.varname is None and _literal(node.path)
    if isinstance(node, URLNode):
        return not (node.args or node.kwargs or node.asvar) and _literal(node.view_name)
    if isinstance(node, SimpleNode):
        named = node.func.__name__ in LITERAL_TAGS and node.func.__module__.startswith("webmail.templatetags.")
        plain = not (node.takes_context or node.target_var)
        return named and plain and all(map(_literal, [*node.args, *node.kwargs.values()]))
    return False


def _literal(words: FilterExpression) -> bool:
    if words.filters:
        return False
    return not isinstance(words.var, Variable) or (words.var.lookups is None and not words.var.translate)


def _literal_words(words: FilterExpression) -> bool:
    """`{% translate %}` makes a Variable even of a literal."""
    return isinstance(words.var, Variable) and words.var.lookups is None
