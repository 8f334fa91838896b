"""format=flowed (RFC 3676): soft line breaks in plain text, read and written. Pure, linear, total."""

SIGNATURE = "-- "
_WIDTH = 72  # of a line before its soft break; RFC 3676 section 4.2 asks for 78 at most, quoting needs room


def unflow(text: str, *, delsp: bool = False) -> str:
    """Paragraphs on one line each. Quote depth stays as `>` marks, the signature separator as it is."""
    out: list[str] = []
    open_depth = -1  # quote depth of a paragraph still waiting for its next line
    for line in text.split("\n"):
        depth, body = _split_quote(line)
        body = body.removeprefix(" ")
        soft = body.endswith(" ") and body != SIGNATURE
        kept = body[:-1] if soft and delsp else body
        if depth == open_depth and body != SIGNATURE:
            out[-1] += kept
        else:
            out.append(_quoted(depth, kept))
        open_depth = depth if soft else -1
    return "\n".join(out)


def flow(text: str) -> str:
    """`text` with long lines softly broken, leading blanks stuffed and stray trailing ones removed."""
    out: list[str] = []
    for line in text.split("\n"):
        depth, body = _split_quote(line)
        if depth:
            body = body.removeprefix(" ")
        if body != SIGNATURE:
            body = body.rstrip(" ")
        pieces = _wrap(body, max(_WIDTH - depth - 1, 20)) if body != SIGNATURE else [body]
        out += [">" * depth + (" " if depth else "") + _stuffed(piece, depth) for piece in pieces]
    return "\n".join(out)


def _split_quote(line: str) -> tuple[int, str]:
    body = line.lstrip(">")
    return len(line) - len(body), body


def _quoted(depth: int, body: str) -> str:
    return f"{'>' * depth} {body}" if depth else body


def _stuffed(piece: str, depth: int) -> str:
    return " " + piece if not depth and piece.startswith((" ", "From ")) else piece


def _wrap(body: str, width: int) -> list[str]:
    """Pieces that end in a blank except the last; a word longer than `width` stays whole."""
    pieces: list[str] = []
    start = 0
    while len(body) - start > width:
        cut = body.rfind(" ", start + 1, start + width)
        if cut < 0:
            cut = body.find(" ", start + width)
        if cut < 0 or cut + 1 >= len(body):
            break
        if body.startswith((">", " ", "From "), cut + 1):  # would read as a quote or need stuffing: break elsewhere
            earlier = body.rfind(" ", start + 1, cut)
            if earlier < 0 or body.startswith((">", " ", "From "), earlier + 1):
                break
            cut = earlier
        pieces.append(body[start : cut + 1])
        start = cut + 1
    return [*pieces, body[start:]]
