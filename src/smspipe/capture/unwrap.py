"""
From what came over the wire to JSON text: the layers that SDKs of ten years wrap it in.

Layers are recognised by what they look like, not by what the headers say of them: current posthog-js sends
gzip as `text/plain` without any hint, and proxies unpack bodies and leave `Content-Encoding` standing.
Only lz64 needs its hint, since it looks like any base64. Each layer is peeled at most once, base64 twice.
"""

import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from smspipe.capture.door import DECOMPRESSED_LIMIT, MEBIBYTE, CaptureRequest, Refused, too_big, undecodable
from smspipe.capture.inflate import GZIP_MAGIC, gunzip, inflate, unbrotli, unzstd
from smspipe.capture.lz64 import unlz64

_BOM: Final = b"\xef\xbb\xbf"
_LZ64: Final = frozenset({"lz64", "lz-string"})
_FORM: Final = "application/x-www-form-urlencoded"
_FORM_FIELD: Final = re.compile(rb"(?:^|&)(?:data|compression|_|ip|ver)=")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\-_= \r\n]+")
_LOOK: Final = 128
"""Bytes at the beginning that tell what something is."""
_MAX_FIELDS: Final = 32
_FORM_LIMIT: Final = 2 * MEBIBYTE
"""Browsers alone send forms, while a page is left, and give them 64 KiB; to read one byte by byte is slow."""


def fields_of(query: bytes) -> dict[str, str]:
    """
    Read the fields of a query or a form; of several with one name the first counts.

    Raises:
        Refused: 400 for more than 32 fields.
    """
    if not query:
        return {}
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise undecodable("invalid urlencoded form data") from None
    return dict(reversed(pairs))


def unwrap(request: CaptureRequest, query: Mapping[str, str]) -> bytes:
    """
    Get at the JSON text in a request of the public routes before v1.

    Returns:
        What is left when no layer is recognised any more: JSON text, or something that will not parse.

    Raises:
        Refused: 400 when there is nothing or a layer is broken, 413 when more than 20 MiB come out.
    """
    data = query["data"].encode() if query.get("data") else request.body
    if not data:
        raise Refused(400, "request missing data payload", tag="empty_body")
    hint = query.get("compression") or request.content_encoding or ""
    form = (request.content_type or "").partition(";")[0].strip().lower() == _FORM
    peeled = gzipped = False
    base64_left = 2
    while not _is_json(data):
        if data.startswith(GZIP_MAGIC) and not gzipped:
            data, gzipped = gunzip(data, DECOMPRESSED_LIMIT), True
        elif not peeled and (data.startswith(b"data=") or (form and _FORM_FIELD.search(data[:_LOOK]))):
            if len(data) > _FORM_LIMIT:
                raise too_big("form", _FORM_LIMIT)
            fields = fields_of(data)
            data, hint, peeled = fields.get("data", "").encode(), hint or fields.get("compression", ""), True
            if not data:
                raise Refused(400, "request missing data payload", tag="empty_body")
        elif hint in _LZ64:
            data, hint = unlz64(data.replace(b" ", b"+")), ""
        elif base64_left and _BASE64.fullmatch(data[:_LOOK]) and (decoded := _unbase64(data)) is not None:
            data, base64_left = decoded, base64_left - 1
        elif data.startswith(_BOM):
            data = data[len(_BOM) :]
        else:
            break
    if len(data) > DECOMPRESSED_LIMIT:
        raise too_big("payload", DECOMPRESSED_LIMIT)
    return data


def _is_json(data: bytes) -> bool:
    """Tell whether `data` begin as an object or a list."""
    first = data[:1]
    if first.isspace():
        first = data[:_LOOK].lstrip()[:1]
    return first == b"{" or first == b"["


def _unbase64(data: bytes) -> bytes | None:
    """
    Decode base64, of the ordinary or the URL's alphabet, padded or not; None when it is none.

    A `+` that went through a form unescaped has become a space there and is put back.
    """
    text = data.replace(b" ", b"+").translate(_TO_ORDINARY, b"\r\n").rstrip(b"=")
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        return None


_TO_ORDINARY: Final = bytes.maketrans(b"-_", b"+/")


def unwrap_v1(request: CaptureRequest) -> bytes:
    """
    Get at the JSON text in a request of capture v1, where `Content-Encoding` is to be believed.

    Raises:
        Refused: 400 when there is nothing or it is broken, 413 when more than 20 MiB come out, 415 for an
            encoding that is not known.
    """
    data = request.body
    if not data:
        raise Refused(400, "request body is empty", tag="empty_body")
    match (request.content_encoding or "identity").strip().lower():
        case "identity":
            # A gzip body without its header cannot be JSON: better read than refused.
            data = gunzip(data, DECOMPRESSED_LIMIT) if data.startswith(GZIP_MAGIC) else data
        case "gzip" | "gzip-js":
            data = gunzip(data, DECOMPRESSED_LIMIT)
        case "deflate":
            data = inflate(data, DECOMPRESSED_LIMIT)
        case "br":
            data = unbrotli(data, DECOMPRESSED_LIMIT)
        case "zstd":
            data = unzstd(data, DECOMPRESSED_LIMIT)
        case _:
            raise Refused(
                415,
                "unsupported content encoding: send gzip, deflate, br, zstd or none",
                tag="unsupported_encoding",
            )
    if len(data) > DECOMPRESSED_LIMIT:
        raise too_big("payload", DECOMPRESSED_LIMIT)
    return data
