"""One picture decoded and encoded again. Runs in the limited child process and nowhere else.

Invariants: only the four kinds of `kinds` are tried, each by its own decoder; the size is read and judged before any
pixel is; what comes out was written by us, without EXIF, profiles, comments or trailing bytes. Colours of another
profile are brought to sRGB and turned pictures are turned, since what said so is gone afterwards.
"""

import warnings
from io import BytesIO

from PIL import (
    Image,
    ImageCms,
    ImageFile,
    ImageOps,
    MpoImagePlugin,  # noqa: F401  loaded late otherwise, for photographs that carry a second one
)

from webmail.imaging.gif import NotAGif, frames_only
from webmail.imaging.kinds import GIF, JPEG, PNG, WEBP, kind_of

MAX_PIXELS = 25_000_000

_ORIENTATION = 0x0112  # the EXIF tag

_SHOWN_IN_PART = (PNG, JPEG)  # browsers show what came of them
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_DECODERS = {PNG: "PNG", JPEG: "JPEG", GIF: "GIF", WEBP: "WEBP"}

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


class NotAPicture(ValueError):
    """No picture of the four kinds, or one too large or broken."""


def warm_up() -> None:
    """Has the library load what it loads late, since the process forbids itself to open files afterwards."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    turned = Image.Exif()
    turned[_ORIENTATION] = 6
    for name in _DECODERS.values():
        out = BytesIO()
        Image.new("RGB", (2, 1)).save(out, name, icc_profile=profile, exif=turned)
        reencode(out.getvalue())


def reencode(data: bytes) -> tuple[str, bytes]:
    """Media type and bytes of the picture as it may be shown. Raises NotAPicture, and MemoryError at the limit."""
    kind = kind_of(data)
    if not kind:
        raise NotAPicture("an unknown kind")
    try:
        return _shown(data, kind)
    except (NotAPicture, MemoryError):
        raise
    except NotAGif as error:
        raise NotAPicture(str(error)) from None
    except Exception as error:  # decoders raise whatever the bytes made them
        if kind not in _SHOWN_IN_PART or isinstance(error, _BOMBS):
            raise NotAPicture(type(error).__name__) from None
    return _as_far_as_it_goes(data, kind)


def _as_far_as_it_goes(data: bytes, kind: str) -> tuple[str, bytes]:
    """A picture whose end is missing, as browsers show it. Raises NotAPicture, MemoryError."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # nothing else is decoded in this process meanwhile
    try:
        return _shown(data, kind)
    except (NotAPicture, MemoryError):
        raise
    except Exception as error:
        raise NotAPicture(type(error).__name__) from None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _shown(data: bytes, kind: str) -> tuple[str, bytes]:
    with Image.open(BytesIO(data), formats=[_DECODERS[kind]]) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise NotAPicture("too many pixels")
        if kind == GIF:
            frames, count = frames_only(data)
            if count > 1:
                picture.load()  # its first frame at least is one
                return GIF, frames
        return _encoded(picture, kind)


def _encoded(picture: Image.Image, kind: str) -> tuple[str, bytes]:
    picture.load()
    turned = picture.getexif().get(_ORIENTATION, 1) != 1
    shown = _in_srgb(ImageOps.exif_transpose(picture) if turned else picture)
    shown.info = {name: shown.info[name] for name in ("transparency",) if name in shown.info}
    out = BytesIO()
    if kind == JPEG:
        if shown.mode not in ("L", "RGB"):
            shown = shown.convert("RGB")
        kept = shown is picture and picture.format == "JPEG"  # not of several in one file, which have another name
        shown.save(out, "JPEG", quality="keep" if kept else 88)
        return JPEG, out.getvalue()
    if kind == WEBP:
        shown.save(out, "WEBP", quality=88, method=1)
        return WEBP, out.getvalue()
    shown.save(out, "PNG", compress_level=4)
    return PNG, out.getvalue()


def _in_srgb(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK"):
        return picture
    mode = "RGB" if picture.mode == "CMYK" else picture.mode
    try:
        source, target = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, source, target, outputMode=mode) or picture
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
