"""Reading TFRecord files, and the two Protocol Buffers messages of NAS-Bench-101 in them, without TensorFlow.

A record is the length of its data (8 bytes, little-endian), a masked CRC-32C of that length (4 bytes), the data, and a
masked CRC-32C of the data (4 bytes). The checksum of the length is verified, which tells other files and damage apart
from records; that of the data is not, since what is read from it is checked by its form, and a table in pure Python
would take minutes per gigabyte.

A message is a sequence of fields: a tag (field number times 8 plus wire type) and a value, of which wire types 0
(varint), 1 (8 bytes), 2 (length and bytes) and 5 (4 bytes) exist here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from automl import DataError

_HEAD = struct.Struct("<QI")
_DOUBLE = struct.Struct("<d")
_CHECKSUM_BYTES = 4
_LARGEST = 1 << 24
_POLYNOMIAL = 0x82F63B78


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the data of each record; raises `DataError` when the file is cut short, or is no TFRecord file."""
    with path.open("rb") as stream:
        number = 0
        while head := stream.read(_HEAD.size):
            if len(head) == _HEAD.size:
                length, checksum = _HEAD.unpack(head)
                if checksum != masked_crc(head[:8]) or length > _LARGEST:
                    raise DataError(
                        f"{path}: record {number} is damaged, or this is no .tfrecord file; download it again"
                    )
                data = stream.read(length)
                rest = stream.read(_CHECKSUM_BYTES)
            if len(head) < _HEAD.size or len(data) < length or len(rest) < _CHECKSUM_BYTES:
                raise DataError(f"{path}: cut short in record {number}; download it again")
            yield data
            number += 1


def read_fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield the number and the value of each field; 8 bytes are read as a double. Raises `ValueError` when damaged."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            length, place = _varint(message, place)
        if length is None or place + length > len(message):
            raise ValueError("the message is damaged")
        part = message[place : place + length]
        yield number, _DOUBLE.unpack(part)[0] if wire == 1 else part
        place += length


def masked_crc(data: bytes) -> int:
    """Return the masked CRC-32C that TFRecord files carry."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise ValueError("the message is damaged")


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        found.append(crc)
    return tuple(found)


_TABLE = _table()
