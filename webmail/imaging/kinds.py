"""What a picture is by its first bytes: the four raster kinds that browsers show and that cannot hold markup."""

PNG, JPEG, GIF, WEBP = "image/png", "image/jpeg", "image/gif", "image/webp"
KINDS = ("", PNG, JPEG, GIF, WEBP)  # as parent and child number them


def kind_of(data: bytes) -> str:
    """The media type; "" for everything else, whatever it calls itself."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    return WEBP if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""
