"""Python values and Arrow columns as BSON, exactly.

Money is :class:`~decimal.Decimal` in Python and Decimal128 in MongoDB; a calendar day is midnight UTC; every
timestamp is in UTC. Nothing is rounded: a number of more than Decimal128's 34 digits becomes text.

To encode one document after the other costs more than to insert them. The bytes of an element (type, name,
NUL, value; https://bsonspec.org/spec.html) are therefore made for a whole Arrow column at once, and joined
row by row. The result equals ``bson.encode`` of the same values, byte for byte.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import bson
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from bson.decimal128 import Decimal128

from shopsight.time_zone import in_utc

#: One column's elements, in pieces to be joined row by row; a scalar piece is the same in each row.
Pieces = list[Any]

_BINARY = pa.large_binary()
_END = pa.scalar(b"\0", _BINARY)
_NOTHING = pa.scalar(b"", _BINARY)

_DOUBLE, _STRING, _DOCUMENT, _BOOLEAN, _DATETIME, _NULL, _INT64, _DECIMAL128 = (
    b"\x01", b"\x02", b"\x03", b"\x08", b"\x09", b"\x0a", b"\x12", b"\x13",
)  # fmt: skip

_LARGEST_INT64 = 2**63 - 1
_DAY_MILLISECONDS = 86_400_000
_DECIMAL128_BIAS = 6176
_DECIMAL128_DIGITS = 34


def to_bson(value: Any) -> Any:  # noqa: PLR0911 - one line a type
    """A value as the driver can encode it; mappings and sequences are converted all the way down.

    Integers beyond 64 bits become Decimal128.

    >>> to_bson({"revenue": Decimal("12.30"), "rules": ("orders.null_total",)})
    {'revenue': Decimal128('12.30'), 'rules': ['orders.null_total']}
    """
    match value:
        case enum.Enum():
            return to_bson(value.value)
        case int() if not -_LARGEST_INT64 - 1 <= value <= _LARGEST_INT64:
            return to_bson(Decimal(value))
        case Decimal():
            fits = len(value.as_tuple().digits) <= _DECIMAL128_DIGITS
            return Decimal128(value) if fits else str(value)
        case date() if not isinstance(value, datetime):
            return datetime.combine(value, time.min, UTC)
        case Mapping():
            return {str(key): to_bson(item) for key, item in value.items()}
        case list() | tuple():
            return [to_bson(item) for item in value]
    return value


def plain(value: Any) -> Any:
    """A BSON value as plain Python, all the way down: Decimal128 as Decimal, timestamps with UTC.

    >>> plain({"revenue": Decimal128("12.30")})
    {'revenue': Decimal('12.30')}
    """
    match value:
        case Decimal128():
            return value.to_decimal()
        case datetime():
            return in_utc(value)
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
    return value


def documents(pieces: Pieces, rows: int) -> list[bytes]:
    """The rows' elements as whole documents: length, elements, NUL.

    Args:
        pieces: the elements of :func:`element`, :func:`constant` and :func:`subdocument`, in order.
        rows: the number of rows.
    """
    encoded: list[bytes] = _documents(pieces, rows).to_pylist()
    return encoded


def element(name: str, values: pa.Array) -> Pieces:
    """A column's elements under a name.

    Integers of any width become int64, so that a field has one type. Decimals become Decimal128 with their
    own scale, dates midnight UTC, nulls null.

    Raises:
        TypeError: no table has a column of this type.
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
    """Elements as a document of their own under a name."""
    return [pa.scalar(_DOCUMENT + _c_string(name), _BINARY), _documents(pieces, rows)]


def _documents(pieces: Pieces, rows: int) -> pa.LargeBinaryArray:
    body = _joined([*pieces, _END], rows)
    lengths = pc.add(pc.binary_length(body), 4).to_numpy(zero_copy_only=False).astype("<i4")
    return _joined([_fixed(b"", lengths), body], rows)


def _elements(name: str, values: pa.Array) -> Pieces:
    """See :func:`element`; the elements of nulls are replaced there."""
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
    """The BSON type, and the little-endian value of each row."""
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

    The second array says which rows have too many digits for it. Arrow holds a decimal as a 128 bit two's
    complement integer, lower half first.
    """
    buffer, first = values.buffers()[1], values.offset
    halves = np.frombuffer(buffer, "<u8")[2 * first : 2 * (first + len(values))].reshape(-1, 2)
    lower, upper = halves[:, 0].copy(), halves[:, 1].copy()
    is_negative = upper >> np.uint64(63) == 1
    lower[is_negative] = ~lower[is_negative] + np.uint64(1)
    upper[is_negative] = ~upper[is_negative] + (lower[is_negative] == 0).astype("<u8")
    limit = 10**_DECIMAL128_DIGITS
    limit_upper, limit_lower = np.uint64(limit >> 64), np.uint64(limit & (2**64 - 1))
    is_beyond = (upper > limit_upper) | ((upper == limit_upper) & (lower >= limit_lower))
    if values.null_count:
        is_beyond &= values.is_valid().to_numpy(zero_copy_only=False)
    exponent = np.uint64((_DECIMAL128_BIAS - values.type.scale) << 49)
    upper |= exponent | (is_negative.astype("<u8") << np.uint64(63))
    return np.stack([lower, upper], axis=1), is_beyond


def _fixed(prefix: bytes, values: npt.NDArray[Any]) -> pa.LargeBinaryArray:
    """The prefix, then the value's bytes, in each row."""
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
