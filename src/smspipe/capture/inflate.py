"""
Decompression that never holds more than it was told to.

Each function takes the compressed bytes and the most bytes that may come out of them, and
raises `Refused`: 413 when more would come out, 400 when the data are broken or end too early.
A few hundred bytes can unpack to gigabytes, so every decoder is asked for one byte more than
the limit and stopped there; none is ever asked for "everything".
"""

from typing import Final, cast

import brotli
import zstandard
from isal import isal_zlib

from smspipe.capture.door import too_big, undecodable

GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP, _ZLIB = 31, 15
_BROKEN: Final = cast("type[Exception]", isal_zlib.IsalError)
"""isal's stubs declare its exception as an instance, which it is not."""
_ZSTD_WINDOW: Final = 1 << 24
"""16 MiB, brotli's largest window: a zstd frame names its own, and the decoder would believe it."""
_CHUNK: Final = 1 << 16


def gunzip(data: bytes, limit: int) -> bytes:
    """Unpack the first member of a gzip file; what follows it is ignored, as PostHog does."""
    return _inflate(data, limit, _GZIP, "gzip")


def inflate(data: bytes, limit: int) -> bytes:
    """Unpack HTTP's `deflate`, which is zlib's format."""
    return _inflate(data, limit, _ZLIB, "deflate")


def _inflate(data: bytes, limit: int, wbits: int, name: str) -> bytes:
    decoder = isal_zlib.decompressobj(wbits=wbits)
    try:
        text: bytes = decoder.decompress(data, limit + 1)
    except _BROKEN:
        raise undecodable(f"invalid {name} data") from None
    if len(text) > limit:
        raise too_big(f"decompressed {name} payload", limit)
    if not decoder.eof:
        raise undecodable(f"invalid {name} data")
    return text


def unbrotli(data: bytes, limit: int) -> bytes:
    """Unpack brotli."""
    decoder = brotli.Decompressor()
    pieces, size = [], 0
    try:
        piece: bytes = decoder.process(data, output_buffer_limit=_CHUNK)
        while piece:
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise too_big("decompressed br payload", limit)
            piece = decoder.process(b"", output_buffer_limit=_CHUNK)
    except brotli.error:
        raise undecodable("invalid br data") from None
    if not decoder.is_finished():
        raise undecodable("invalid br data")
    return b"".join(pieces)


def unzstd(data: bytes, limit: int) -> bytes:
    """Unpack the first frame of zstd; a frame that ends too early gives what it has, which JSON then refuses."""
    pieces, size = [], 0
    try:
        with zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(data) as reader:
            while piece := reader.read(_CHUNK):
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise too_big("decompressed zstd payload", limit)
    except zstandard.ZstdError:
        raise undecodable("invalid zstd data") from None
    return b"".join(pieces)
