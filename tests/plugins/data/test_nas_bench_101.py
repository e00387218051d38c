"""Conversion, on small files in exactly the official layout: TFRecords of JSON with a message in base64.

The messages are encoded here by hand, as the .proto file of the benchmark says; the official files were not at hand.
"""

import base64
import json
import struct

import numpy as np
import pytest

from automl import Candidate, Context, DataError
from automl_plugins.data._tfrecord import masked_crc, read_fields, read_records
from automl_plugins.data.nas_bench_101 import NasBench101Data
from automl_plugins.evaluators.nas_bench_101 import NasBench101Options, NasBench101Table
from automl_plugins.tasks.none import NoTask
from automl_spaces.nas_cell import Cell, NasCell

CELLS = [
    ("0" * 31 + "1", "0110000010000010000100000", "input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,output"),
    ("0" * 31 + "2", "0100", "input,output"),
]


def varint(value):
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def evaluation(epoch, seconds, train, valid, test):
    numbers = enumerate((epoch, seconds, train, valid, test), 1)
    return b"".join(bytes([number << 3 | 1]) + struct.pack("<d", value) for number, value in numbers)


def message(params, seconds, valid, test):
    parts = [evaluation(0, 0, 0.1, 0.1, 0.1), evaluation(54, seconds / 2, 0.9, 0.5, 0.5)]
    parts.append(evaluation(108, seconds, 1.0, valid, test) + b"\x32\x04path")
    body = b"".join(b"\x0a" + varint(len(part)) + part for part in parts)
    return body + b"\x10" + varint(params) + b"\x19" + struct.pack("<d", 9.5)


def values(row, epochs, repeat):
    """Parameters, seconds, validation and test accuracy."""
    return 1_000_000 + row, 10.0 * epochs + row, 0.5 + epochs / 1000 + repeat / 100, 0.4 + epochs / 1000 + repeat / 100


def write(path, epochs_list=(4, 12, 36, 108)):
    blocks = []
    for row, (name, matrix, operations) in enumerate(CELLS):
        for epochs in epochs_list:
            for repeat in range(3):
                encoded = base64.b64encode(message(*values(row, epochs, repeat))).decode()
                data = json.dumps([name, epochs, matrix, operations, encoded]).encode()
                head = struct.pack("<Q", len(data))
                blocks += [head, struct.pack("<I", masked_crc(head)), data, struct.pack("<I", masked_crc(data))]
    path.write_bytes(b"".join(blocks))
    return path


def converted(source, folder):
    target = folder / "nasbench101" / "nasbench101.npz"
    NasBench101Data().convert(source, target)
    return np.load(target)


def test_checksums_are_the_published_ones():
    """CRC-32C of "123456789" is E3069283; masking rotates it by 15 bits and adds a constant."""
    crc = 0xE3069283
    assert masked_crc(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_messages_are_read_as_protobuf_writes_them():
    assert list(read_fields(b"\x08\x96\x01\x12\x02hi\x19" + struct.pack("<d", 2.5))) == [(1, 150), (2, b"hi"), (3, 2.5)]
    for damaged in (b"\x08", b"\x12\x05hi", b"\x1b", b"\x08" + b"\xff" * 11):
        with pytest.raises(ValueError, match="damaged"):
            list(read_fields(damaged))


@pytest.mark.parametrize("epochs_list", [(108,), (4, 12, 36, 108)])
def test_official_files_become_the_columns_that_the_evaluator_reads(epochs_list, tmp_path, monkeypatch):
    arrays = converted(write(tmp_path / "nasbench.tfrecord", epochs_list), tmp_path)
    assert {f"valid_acc_{epochs}" in arrays for epochs in epochs_list} == {True}
    assert ("valid_acc_4" in arrays) == (4 in epochs_list)
    assert arrays["n_vertices"].tolist() == [5, 2]
    assert arrays["hash"][0, -1] == 1
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    space = NasCell()
    first = Cell(("conv3x3-bn-relu", "maxpool3x3", "conv1x1-bn-relu"), ((0, 1), (0, 2), (1, 3), (2, 4), (3, 4)))
    for row, cell in enumerate((first, Cell((), ((0, 1),)))):
        architecture = space.record(_replay(space, cell))
        for epochs in epochs_list:
            for training, repeat in (("single", 0), ("mean", 1)):
                table = NasBench101Table(NasBench101Options(epochs=epochs, training=training))
                found = table.evaluate(Candidate(space, architecture), Context(NoTask()))
                params, seconds, valid, test = values(row, epochs, repeat)
                assert found["val_accuracy"] == pytest.approx(100 * valid, abs=1e-4)
                assert found["reported_test_accuracy"] == pytest.approx(100 * values(row, epochs, 1)[3], abs=1e-4)
                assert (found["params"], found["train_time_s"]) == (params, seconds)
                assert test < valid


def test_a_file_that_is_cut_short_is_one_line_and_leaves_nothing(tmp_path):
    source = write(tmp_path / "nasbench.tfrecord")
    whole = source.read_bytes()
    for length in (len(whole) - 2, len(whole) - 100, 5):
        source.write_bytes(whole[:length])
        with pytest.raises(DataError, match="cut short in record") as refused:
            converted(source, tmp_path)
        assert "\n" not in str(refused.value)
    assert not (tmp_path / "nasbench101").exists()


@pytest.mark.parametrize("content", [b"", b"hello, this is a text and no table", None])
def test_other_files_are_refused(content, tmp_path):
    source = tmp_path / "other.tfrecord"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(DataError, match=r"no such file|no records|no \.tfrecord file"):
        converted(source, tmp_path)


def test_a_record_of_another_form_is_named(tmp_path):
    data = json.dumps(["00", 108, "0100", "input,output", "not base64!"]).encode()
    head = struct.pack("<Q", len(data))
    source = tmp_path / "odd.tfrecord"
    source.write_bytes(head + struct.pack("<I", masked_crc(head)) + data + bytes(4))
    assert list(read_records(source)) == [data]
    with pytest.raises(DataError, match="record 0 is no training of NAS-Bench-101"):
        converted(source, tmp_path)


def _replay(space, cell):
    from automl import ReplayChooser

    return ReplayChooser(space.encode(space._padded(cell)))
