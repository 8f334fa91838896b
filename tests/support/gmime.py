"""GMime by ctypes, as much of it as reads a message. Its objects are not freed: a test process ends soon."""

from __future__ import annotations

import ctypes
import ctypes.util
from ctypes import POINTER, Structure, c_char_p, c_int, c_size_t, c_ssize_t, c_ubyte, c_uint, c_void_p
from functools import cache

from tests.support.readings import PEOPLE, Part, People, Reading, identifiers

ADDRESS_TYPES = {"from": 1, "reply-to": 2, "to": 3, "cc": 4, "bcc": 5}  # GMimeAddressType


class ByteArray(Structure):
    """GLib's GByteArray."""

    _fields_ = [("data", POINTER(c_ubyte)), ("len", c_uint)]


# what each function returns, and takes
_FUNCTIONS: dict[str, tuple[object, list[object]]] = {
    "g_mime_init": (None, []),
    "g_mime_stream_mem_new_with_buffer": (c_void_p, [c_char_p, c_size_t]),
    "g_mime_stream_mem_new": (c_void_p, []),
    "g_mime_stream_mem_get_byte_array": (POINTER(ByteArray), [c_void_p]),
    "g_mime_parser_new_with_stream": (c_void_p, [c_void_p]),
    "g_mime_parser_construct_message": (c_void_p, [c_void_p, c_void_p]),
    "g_mime_message_get_subject": (c_char_p, [c_void_p]),
    "g_mime_message_get_message_id": (c_char_p, [c_void_p]),
    "g_mime_message_get_addresses": (c_void_p, [c_void_p, c_int]),
    "g_mime_message_get_mime_part": (c_void_p, [c_void_p]),
    "g_mime_object_get_header": (c_char_p, [c_void_p, c_char_p]),
    "g_mime_object_get_content_type": (c_void_p, [c_void_p]),
    "g_mime_object_get_content_id": (c_char_p, [c_void_p]),
    "g_mime_object_get_disposition": (c_char_p, [c_void_p]),
    "g_mime_content_type_get_media_type": (c_char_p, [c_void_p]),
    "g_mime_content_type_get_media_subtype": (c_char_p, [c_void_p]),
    "g_mime_multipart_get_count": (c_int, [c_void_p]),
    "g_mime_multipart_get_part": (c_void_p, [c_void_p, c_int]),
    "g_mime_message_part_get_message": (c_void_p, [c_void_p]),
    "g_mime_part_get_filename": (c_char_p, [c_void_p]),
    "g_mime_part_get_content": (c_void_p, [c_void_p]),
    "g_mime_data_wrapper_write_to_stream": (c_ssize_t, [c_void_p, c_void_p]),
    "internet_address_list_length": (c_int, [c_void_p]),
    "internet_address_list_get_address": (c_void_p, [c_void_p, c_int]),
    "internet_address_get_name": (c_char_p, [c_void_p]),
    "internet_address_mailbox_get_idn_addr": (c_char_p, [c_void_p]),
    "g_type_name_from_instance": (c_char_p, [c_void_p]),
    "g_mime_content_disposition_get_parameter": (c_char_p, [c_void_p, c_char_p]),
    "g_mime_object_get_content_disposition": (c_void_p, [c_void_p]),
}


@cache
def _library() -> ctypes.CDLL:
    """The library with its functions declared; GObject's come through it."""
    name = ctypes.util.find_library("gmime-3.0")
    if name is None:
        raise RuntimeError("GMime is not installed; deploy/test installs what the tests need.")
    library = ctypes.CDLL(name)
    for function, (result, arguments) in _FUNCTIONS.items():
        entry = getattr(library, function)
        entry.restype, entry.argtypes = result, arguments
    library.g_mime_init()
    return library


def by_gmime(raw: bytes) -> Reading:
    gmime = _library()
    stream = gmime.g_mime_stream_mem_new_with_buffer(raw, len(raw))
    message = gmime.g_mime_parser_construct_message(gmime.g_mime_parser_new_with_stream(stream), None)
    assert message, "GMime finds no message"
    return Reading(
        subject=_text(gmime.g_mime_message_get_subject(message)),
        people={name: _people(message, name) for name in PEOPLE},
        message_id=_text(gmime.g_mime_message_get_message_id(message)),
        in_reply_to="".join(identifiers(_field(message, b"In-Reply-To"))),
        references=identifiers(_field(message, b"References")),
        root=_part(gmime.g_mime_message_get_mime_part(message)),
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode()


def _field(of: int, name: bytes) -> str:
    return _text(_library().g_mime_object_get_header(of, name))


def _people(message: int, name: str) -> People:
    gmime = _library()
    found = gmime.g_mime_message_get_addresses(message, ADDRESS_TYPES[name])
    count = gmime.internet_address_list_length(found) if found else 0
    entries = [gmime.internet_address_list_get_address(found, index) for index in range(count)]
    mailboxes = [one for one in entries if gmime.g_type_name_from_instance(one) == b"InternetAddressMailbox"]
    return tuple(
        (_text(gmime.internet_address_get_name(one)), _text(gmime.internet_address_mailbox_get_idn_addr(one)))
        for one in mailboxes
    )


def _part(entity: int) -> Part:
    gmime = _library()
    what = _text(gmime.g_type_name_from_instance(entity))
    content_type = gmime.g_mime_object_get_content_type(entity)
    kind = "/".join(
        _text(get(content_type)).lower()
        for get in (gmime.g_mime_content_type_get_media_type, gmime.g_mime_content_type_get_media_subtype)
    )
    if what.startswith("GMimeMultipart"):
        count = gmime.g_mime_multipart_get_count(entity)
        return Part(kind, parts=tuple(_part(gmime.g_mime_multipart_get_part(entity, index)) for index in range(count)))
    disposition = _text(gmime.g_mime_object_get_disposition(entity)).lower()
    content_id = _text(gmime.g_mime_object_get_content_id(entity))
    if what == "GMimeMessagePart":
        inner = gmime.g_mime_message_get_mime_part(gmime.g_mime_message_part_get_message(entity))
        filename = _text(_disposition_parameter(entity, b"filename"))
        return Part(kind, filename, disposition, content_id, parts=(_part(inner),))
    filename = _text(gmime.g_mime_part_get_filename(entity))
    return Part(kind, filename, disposition, content_id, content=_decoded(entity))


def _disposition_parameter(entity: int, name: bytes) -> bytes | None:
    gmime = _library()
    found = gmime.g_mime_object_get_content_disposition(entity)
    value: bytes | None = gmime.g_mime_content_disposition_get_parameter(found, name) if found else None
    return value


def _decoded(part: int) -> bytes:
    gmime = _library()
    content = gmime.g_mime_part_get_content(part)
    if not content:
        return b""
    out = gmime.g_mime_stream_mem_new()
    assert gmime.g_mime_data_wrapper_write_to_stream(content, out) >= 0
    array = gmime.g_mime_stream_mem_get_byte_array(out).contents
    return ctypes.string_at(array.data, array.len) if array.len else b""
