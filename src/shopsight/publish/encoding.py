"""Arrow rows to BSON documents, whole columns at a time.

A driver encodes one document after the other, which costs more than inserting them. Here the bytes of an
element (type, name, NUL, value; https://bsonspec.org/spec.html) are made for a whole column at once, and
Arrow joins them row by row. What comes out is byte for byte what ``bson.encode`` makes of the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bson
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: One column's elements, in pieces that are to be joined row by row; a scalar piece is the same in each row.
Pieces = list[Any]

_BINARY = pa.large_binary()
_END = pa.scalar(b"\0", _BINARY)
_NOTHING = pa.scalar(b"", _BINARY)

_DOUBLE, _STRING, _DOCUMENT, _BOOLEAN, _DATETIME, _NULL, _INT64, _DECIMAL128 = (
    b"\x01", b"\x02", b"\x03", b"\x08", b"\x09", b"\x0a", b"\x12", b"\x13",
)  # fmt: skip

_DAY_MILLISECONDS = 86_400_000
_DECIMAL128_BIAS = 6176
_DECIMAL128_LIMIT = 10**34


def documents(pieces: Pieces, rows: int) -> pa.LargeBinaryArray:
    """The rows' elements as whole documents: length, elements, NUL.

    Args:
        pieces: the elements of :func:`element`, :func:`constant` and :func:`subdocument`, in order.
        rows: how many rows there are.
    """
    body = _joined([*pieces, _END], rows)
    lengths = pc.add(pc.binary_length(body), 4).to_numpy(zero_copy_only=False).astype("<i4")
    return _joined([_fixed(b"", lengths), body], rows)


def element(name: str, values: pa.Array) -> Pieces:
    """A column's elements under a name.

    Whole numbers become int64 whatever their size, so that a field has one type; decimals become Decimal128
    with their own scale, and text where they have more digits than its 34; a date becomes midnight UTC; null
    becomes null.

    Raises:
        TypeError: a column of a type that no table here has.
    """
    pieces = _elements(name, values)
    if values.null_count == 0:
        return pieces
    null = pa.scalar(_NULL + _c_string(name), _BINARY)
    return [pc.if_else(values.is_valid(), _joined(pieces, len(values)), null)]


def constant(name: str, value: Any) -> Pieces:
    """The same value in each row."""
    return [pa.scalar(bson.encode({name: value})[4:-1], _BINARY)]


def subdocument(name: str, pieces: Pieces, rows: int) -> Pieces:
    """Elements gathered into a document of their own under a name."""
    return [pa.scalar(_DOCUMENT + _c_string(name), _BINARY), documents(pieces, rows)]


def _elements(name: str, values: pa.Array) -> Pieces:
    """See :func:`element`; what a null's element holds does not matter here."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _elements(name, values.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        text = values.cast(pa.large_string()).fill_null("").cast(_BINARY)
        lengths = pc.add(pc.binary_length(text), 1).to_numpy(zero_copy_only=False).astype("<i4")
        return [_fixed(_STRING + _c_string(name), lengths), text, _END]
    if pa.types.is_decimal(kind):
        exact, is_beyond = _decimal128(values.cast(pa.decimal128(38, kind.scale)))
        numbers = _fixed(_DECIMAL128 + _c_string(name), exact)
        if not is_beyond.any():
            return [numbers]
        text = _joined(_elements(name, values.cast(pa.large_string())), len(values))
        return [pc.if_else(pa.array(is_beyond), text, numbers)]
    tag, fixed = _fixed_width(values)
    return [_fixed(tag + _c_string(name), fixed)]


def _fixed_width(values: pa.Array) -> tuple[bytes, npt.NDArray[Any]]:
    """The BSON type and, by row, the little-endian value."""
    kind = values.type
    if pa.types.is_integer(kind):
        return _INT64, _numbers(values.cast(pa.int64()), "<i8")
    if pa.types.is_floating(kind):
        return _DOUBLE, _numbers(values.cast(pa.float64()), "<f8")
    if pa.types.is_boolean(kind):
        return _BOOLEAN, _numbers(values.cast(pa.uint8()), "u1")
    if pa.types.is_date(kind):
        return _DATETIME, _numbers(values.cast(pa.date32()).cast(pa.int32()), "<i8") * _DAY_MILLISECONDS
    if pa.types.is_timestamp(kind):
        milliseconds = values.cast(pa.timestamp("ms", kind.tz), safe=False)
        return _DATETIME, _numbers(milliseconds.cast(pa.int64()), "<i8")
    if pa.types.is_null(kind):
        return _INT64, np.zeros(len(values), "<i8")
    raise TypeError(f"a column of {kind} cannot be published")


def _numbers(values: pa.Array, kind: str) -> npt.NDArray[Any]:
    numbers: npt.NDArray[Any] = values.fill_null(0).to_numpy(zero_copy_only=False).astype(kind)
    return numbers


def _decimal128(values: pa.Array) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """IEEE 754 decimal128, binary integer encoding: sign, 14 bits of exponent, 113 bits of coefficient.

    And, by row, whether the number has too many digits for it. Arrow holds a decimal as a 128 bit two's
    complement integer, lower half first.
    """
    buffer, first = values.buffers()[1], values.offset
    halves = np.frombuffer(buffer, "<u8")[2 * first : 2 * (first + len(values))].reshape(-1, 2)
    lower, upper = halves[:, 0].copy(), halves[:, 1].copy()
    is_negative = upper >> np.uint64(63) == 1
    lower[is_negative] = ~lower[is_negative] + np.uint64(1)
    upper[is_negative] = ~upper[is_negative] + (lower[is_negative] == 0).astype("<u8")
    limit_upper, limit_lower = np.uint64(_DECIMAL128_LIMIT >> 64), np.uint64(_DECIMAL128_LIMIT & (2**64 - 1))
    is_beyond = (upper > limit_upper) | ((upper == limit_upper) & (lower >= limit_lower))
    if values.null_count:
        is_beyond &= values.is_valid().to_numpy(zero_copy_only=False)
    exponent = np.uint64((_DECIMAL128_BIAS - values.type.scale) << 49)
    upper |= exponent | (is_negative.astype("<u8") << np.uint64(63))
    return np.stack([lower, upper], axis=1), is_beyond


def _fixed(prefix: bytes, values: npt.NDArray[Any]) -> pa.LargeBinaryArray:
    """The prefix and the value's bytes, by row."""
    rows, size = len(values), values.dtype.itemsize * (values.shape[1] if values.ndim > 1 else 1)
    width = len(prefix) + size
    table = np.empty((rows, width), np.uint8)
    table[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    table[:, len(prefix) :] = np.ascontiguousarray(values).view(np.uint8).reshape(rows, size)
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    return pa.Array.from_buffers(_BINARY, rows, [None, pa.py_buffer(offsets), pa.py_buffer(table)])


def _joined(pieces: Sequence[Any], rows: int) -> pa.LargeBinaryArray:
    if all(isinstance(piece, pa.Scalar) for piece in pieces):
        pieces = [*pieces, pa.array([b""] * rows, _BINARY)]
    return pc.binary_join_element_wise(*pieces, _NOTHING)


def _c_string(name: str) -> bytes:
    return name.encode() + b"\0"
