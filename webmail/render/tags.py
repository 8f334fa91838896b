"""The elements and attributes that mail may use. No SVG, no MathML, no forms, nothing that loads by itself."""

from webmail.render.wordlist import words

_TEXT = """
a abbr acronym address b bdi bdo big blockquote br center cite code dd del dfn div dl dt em font h1 h2 h3 h4 h5 h6 hr i
img ins kbd li mark nobr ol p pre q rp rt ruby s samp small span strike strong sub sup time tt u ul var wbr
"""
_TABLE = "caption col colgroup table tbody td tfoot th thead tr"
_SECTIONS = "article aside details dir figcaption figure footer header main section summary"

READ_TAGS: frozenset[str] = words(_TEXT + _TABLE + " " + _SECTIONS)
QUOTE_TAGS: frozenset[str] = words(_TEXT + _TABLE)

# Removed together with everything inside them.
CONTENT_REMOVED: frozenset[str] = words(
    "svg math script style title noscript template xmp iframe textarea select option optgroup object applet embed "
    "noembed noframes frameset frame plaintext button input keygen datalist meter progress output base link meta "
    "param source track canvas portal"
)

_CELL = {"align", "valign", "bgcolor", "width", "height", "nowrap"}
_GLOBAL = {"align", "dir", "lang", "style", "title"}
_BY_TAG: dict[str, set[str]] = {
    "a": {"href"},
    "img": {"src", "alt", "width", "height", "border", "hspace", "vspace"},
    "font": {"color", "face", "size"},
    "table": _CELL | {"border", "cellpadding", "cellspacing", "rules", "frame", "summary", "role"},
    "tbody": _CELL,
    "thead": _CELL,
    "tfoot": _CELL,
    "tr": _CELL,
    "td": _CELL | {"colspan", "rowspan", "abbr", "role"},
    "th": _CELL | {"colspan", "rowspan", "abbr", "scope"},
    "col": _CELL | {"span"},
    "colgroup": _CELL | {"span"},
    "hr": {"color", "size", "width", "noshade"},
    "ol": {"start", "type", "reversed"},
    "ul": {"type"},
    "li": {"value", "type"},
    "blockquote": {"type"},
    "br": {"clear"},
    "div": {"role"},
    "time": {"datetime"},
    "details": {"open"},
}

READ_ATTRIBUTES: dict[str, set[str]] = {**_BY_TAG, "*": _GLOBAL | {"id", "class"}}
QUOTE_ATTRIBUTES: dict[str, set[str]] = {
    **{tag: names for tag, names in _BY_TAG.items() if tag != "details"},
    "*": _GLOBAL,
}
