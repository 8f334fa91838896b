"""The properties that mail may set. Left out on purpose: everything that positions, transforms, animates, layers,
clips, generates content or changes the pointer, and every custom property."""

from webmail.render.wordlist import words

_TEXT = """
color direction unicode-bidi text-align text-align-last text-decoration text-decoration-color text-decoration-line
text-decoration-style text-decoration-thickness text-indent text-overflow text-shadow text-transform
text-underline-offset
letter-spacing word-spacing word-break word-wrap overflow-wrap hyphens line-break white-space tab-size line-height
vertical-align quotes writing-mode
"""
_FONT = """
font font-family font-feature-settings font-kerning font-size font-size-adjust font-stretch font-style font-variant
font-variant-caps font-variant-ligatures font-variant-numeric font-weight
"""
_BOX = """
display visibility opacity float clear box-sizing box-shadow overflow overflow-x overflow-y object-fit object-position
width height min-width min-height max-width max-height aspect-ratio inline-size block-size
min-inline-size min-block-size max-inline-size max-block-size
background background-color background-image background-position background-repeat background-size background-clip
background-origin
"""
_TABLE = """
border-collapse border-spacing caption-side empty-cells table-layout
list-style list-style-type list-style-position
"""
_FLEX = """
flex flex-basis flex-direction flex-flow flex-grow flex-shrink flex-wrap align-content align-items align-self
justify-content justify-items justify-self gap row-gap column-gap columns column-count column-width
grid-template-columns grid-template-rows grid-column grid-row
"""
_SIDES = ("top", "right", "bottom", "left", "block", "block-start", "block-end", "inline", "inline-start", "inline-end")
_CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right", "start-start", "start-end", "end-start", "end-end")


def _edges() -> set[str]:
    names = {"margin", "padding", "border", "border-width", "border-style", "border-color", "border-radius", "outline"}
    names |= {f"outline-{part}" for part in ("width", "style", "color")}
    for side in _SIDES:
        names |= {f"margin-{side}", f"padding-{side}", f"border-{side}"}
        names |= {f"border-{side}-{part}" for part in ("width", "style", "color")}
    return names | {f"border-{corner}-radius" for corner in _CORNERS}


PROPERTIES: frozenset[str] = words(_TEXT + _FONT + _BOX + _TABLE + _FLEX) | _edges()

# Pulling content out of its place, or text out of sight, by a negative length.
NEVER_NEGATIVE: frozenset[str] = frozenset(n for n in PROPERTIES if n.startswith("margin")) | {"text-indent"}

_OUT_OF_SIGHT = words(
    "display visibility opacity overflow overflow-x overflow-y float clear aspect-ratio writing-mode columns"
)
# What is quoted stands among the words of the person who answers: none of it may hide, float or stand in columns.
QUOTE_PROPERTIES: frozenset[str] = frozenset(
    name
    for name in PROPERTIES - _OUT_OF_SIGHT
    if not name.startswith(("column", "grid", "flex", "align", "justify", "background-", "min-", "object"))
) | {"background-color"}
