from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from webmail.imaging.gif import MAX_FRAMES, NotAGif, frames_only
from webmail.imaging.kinds import GIF, JPEG, PNG, WEBP, kind_of
from webmail.imaging.reencode import NotAPicture, reencode

from .drawn import animation, bomb, opened, picture

SECRET = b"51.5007 N 0.1246 W"
POLYGLOT = b"<script>alert(1)</script>"


@pytest.mark.parametrize(("kind", "as_type"), [("PNG", PNG), ("JPEG", JPEG), ("WEBP", WEBP), ("GIF", PNG)])
def test_each_kind_comes_out_as_a_picture_of_the_same_size(kind: str, as_type: str) -> None:
    media_type, data = reencode(picture(kind))
    assert media_type == as_type == kind_of(data)
    assert opened(data).size == (40, 30)


def test_of_a_photograph_with_a_second_one_the_first_is_shown() -> None:
    first, second, out = Image.new("L", (40, 30), 250), Image.new("L", (20, 15), 0), BytesIO()
    first.save(out, "MPO", save_all=True, append_images=[second])
    media_type, data = reencode(out.getvalue())
    assert (media_type, opened(data).size, opened(data).format) == (JPEG, (40, 30), "JPEG")
    assert opened(data).tobytes()[0] > 240


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"GIF", b"BM" + bytes(60), b"RIFF....AVI ", picture("BMP"), POLYGLOT])
def test_other_kinds_are_refused_whatever_they_say(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        reencode(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_no_picture_is_left_behind(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    options: dict[str, Any] = {"exif": exif}
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Comment", SECRET.decode())
        options |= {"pnginfo": texts}
    if kind == "JPEG":
        options |= {"comment": SECRET}
    source = picture(kind, **options) + POLYGLOT
    assert SECRET in source
    _, data = reencode(source)
    assert SECRET not in data
    assert POLYGLOT not in data


def test_a_turned_photograph_is_turned_before_what_said_so_is_gone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(reencode(picture("JPEG", exif=exif))[1]).size == (30, 40)


def test_a_profile_is_applied_and_left_behind() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for broken in (b"", profile[:200], profile):
        _, data = reencode(picture("PNG", icc_profile=broken or None))
        assert "icc_profile" not in opened(data).info


def test_transparency_stays() -> None:
    _, data = reencode(picture("PNG", mode="P", transparency=0))
    assert opened(data).info["transparency"] == 0
    _, data = reencode(picture("PNG", mode="RGBA"))
    assert opened(data).mode == "RGBA"


def test_s20_a_bomb_is_refused_by_what_it_says_of_itself() -> None:
    source = bomb(15_000)
    assert len(source) < 60_000
    with pytest.raises(NotAPicture, match=r"Bomb|pixels"):
        reencode(source)


@pytest.mark.parametrize(("kind", "as_type"), [("PNG", PNG), ("JPEG", JPEG)])
@pytest.mark.parametrize("missing", [1, 12, 40, "half"])
def test_of_a_picture_whose_end_is_missing_what_there_is_is_shown(kind: str, as_type: str, missing: int | str) -> None:
    """As browsers do: its beginning is that of the whole picture."""
    source = picture(kind, size=(400, 300))
    cut = source[: len(source) // 2] if missing == "half" else source[: -int(missing)]
    media_type, data = reencode(cut)
    assert media_type == as_type
    assert opened(data).size == (400, 300)
    assert opened(data).crop((0, 0, 400, 16)).tobytes() == opened(source).crop((0, 0, 400, 16)).tobytes()


def test_what_follows_a_picture_that_was_cut_short_is_judged_as_strictly_as_before() -> None:
    reencode(picture("PNG", size=(400, 300))[:-20])
    with pytest.raises(NotAPicture, match=r"Bomb|pixels"):
        reencode(bomb(15_000)[:-20])
    with pytest.raises(NotAPicture):
        reencode(picture("JPEG")[:100])
    with pytest.raises(NotAPicture):
        reencode(picture("WEBP", size=(400, 300))[:-40])


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_half_a_picture_of_other_kinds_is_refused(kind: str) -> None:
    source = picture(kind, size=(400, 300))
    with pytest.raises(NotAPicture):
        reencode(source[: len(source) // 2])


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"]), st.integers(0, 400))
def test_no_other_exception_leaves_it(noise: bytes, kind: str, at: int) -> None:
    source = picture(kind)
    at = min(at, len(source))
    try:
        media_type, data = reencode(source[:at] + noise + source[at + len(noise) :])
    except NotAPicture:
        return
    assert kind_of(data) == media_type


# --- animated GIFs -------------------------------------------------------------------------------------------------


def test_an_animation_keeps_its_frames_and_loses_the_rest() -> None:
    source = animation(5, comment=SECRET) + POLYGLOT
    assert SECRET in source
    media_type, data = reencode(source)
    assert media_type == GIF
    assert SECRET not in data
    assert POLYGLOT not in data
    shown = opened(data)
    assert (getattr(shown, "n_frames", 1), shown.info["loop"], shown.info["duration"]) == (5, 0, 40)


def test_an_animation_of_too_many_frames_or_pixels_is_refused() -> None:
    assert frames_only(animation(20, size=(2, 2)))[1] == 20
    frame = bytes.fromhex("2c00000000010001000002024401 00".replace(" ", ""))
    head = b"GIF89a" + bytes.fromhex("01000100800000000000ffffff")
    assert frames_only(head + frame * MAX_FRAMES + b";")[1] == MAX_FRAMES
    with pytest.raises(NotAGif):
        frames_only(head + frame * (MAX_FRAMES + 1) + b";")
    huge = head[:6] + bytes.fromhex("ffffffff") + head[10:]
    with pytest.raises(NotAGif):
        frames_only(huge + frame * 2 + b";")


def test_a_frame_beside_the_canvas_is_refused() -> None:
    head = b"GIF89a" + bytes.fromhex("01000100800000000000ffffff")
    beside = bytes.fromhex("2c0100000001000100000202440100")
    with pytest.raises(NotAGif, match="beside"):
        frames_only(head + beside + b";")
