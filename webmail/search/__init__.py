"""Query text to a search tree, and the words that text is indexed by."""

from webmail.search.query import Query, parse
from webmail.search.words import highlight, normalise, query_terms, terms

__all__ = ["Query", "highlight", "normalise", "parse", "query_terms", "terms"]
