"""The first bytes show what is no text, however they are cut; text passes unchanged."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.errors import InputError
from flowreaper.producer.encoding import require_text

IDS = b"926000000000007919\n926000000000007920\n"


def zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ids.txt", IDS)
    return packed.getvalue()


# Named: gzip and zip write the time into their bytes, and every worker must collect the same tests.
@pytest.mark.parametrize("size", [1, 2, 5, 100_000])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(gzip.compress(IDS), "compressed (gzip)", id="gzip"),
        pytest.param(bz2.compress(IDS), "compressed (bzip2)", id="bzip2"),
        pytest.param(bz2.compress(b""), "compressed (bzip2)", id="bzip2 of nothing"),
        pytest.param(lzma.compress(IDS), "compressed (xz)", id="xz"),
        pytest.param(b"\x28\xb5\x2f\xfd\x24\x27", "compressed (zstd)", id="zstd"),
        pytest.param(zipped(), "a spreadsheet: unpack it", id="zip"),
        pytest.param(IDS.decode().encode("utf-16"), "iconv -f UTF-16 -t", id="UTF-16"),
        pytest.param(
            b"\xfe\xff" + IDS.decode().encode("utf-16-be"), "iconv -f UTF-16 -t", id="UTF-16BE with a mark"
        ),
        pytest.param(IDS.decode().encode("utf-16-le"), "iconv -f UTF-16LE -t", id="UTF-16LE"),
        pytest.param(IDS.decode().encode("utf-16-be"), "iconv -f UTF-16BE -t", id="UTF-16BE"),
        pytest.param(
            "\r\n1\r\n".encode("utf-16-le"), "iconv -f UTF-16LE -t", id="UTF-16LE behind a blank line"
        ),
        pytest.param("\n1\n".encode("utf-16-be"), "iconv -f UTF-16BE -t", id="UTF-16BE behind a blank line"),
        pytest.param(IDS.decode().encode("utf-32"), "iconv -f UTF-32 -t", id="UTF-32"),
        pytest.param(
            b"\0\0\xfe\xff" + IDS.decode().encode("utf-32-be"),
            "iconv -f UTF-32 -t",
            id="UTF-32BE with a mark",
        ),
        pytest.param(IDS.decode().encode("utf-32-le"), "iconv -f UTF-32LE -t", id="UTF-32LE"),
        pytest.param(IDS.decode().encode("utf-32-be"), "iconv -f UTF-32BE -t", id="UTF-32BE"),
    ],
)
def test_what_is_no_text_is_named_with_the_next_step(content: bytes, says: str, size: int) -> None:
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    with pytest.raises(InputError, match=r"^ids: .*: (unpack|save)") as caught:
        list(require_text(chunks, "ids"))
    assert says in str(caught.value)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(1, 9))
def test_text_passes_unchanged_however_it_is_cut(content: str, size: int) -> None:
    raw = content.encode()
    if raw.startswith((b"BZh", b"PK\x03\x04")):
        raw = b"x" + raw  # hypothesis hardly ever makes one whole
    chunks = [raw[at : at + size] for at in range(0, len(raw), size)]
    assert b"".join(require_text(chunks, "ids")) == raw


@pytest.mark.parametrize("content", [b"", b"\x1f", b"PK", b"BZh123\n7\n", b"BZh9\n", b"SQLite format 3\n"])
def test_what_only_begins_like_it_passes(content: bytes) -> None:
    assert b"".join(require_text([content[:1], content[1:]], "ids")) == content


@pytest.mark.parametrize(
    ("chunks", "passed", "offset"),
    [
        ([b"1\0"], [], 1),
        ([b"\0" * 40], [], 0),
        ([b"1\n2\n", b"3\n4", b"5\0\n6\n", b"7\n"], [b"1\n2\n", b"3\n4"], 8),
    ],
)
def test_a_nul_byte_ends_it_with_its_offset_and_nothing_of_its_chunk_passes(
    chunks: list[bytes], passed: list[bytes], offset: int
) -> None:
    got: list[bytes] = []
    with pytest.raises(InputError, match=rf"^ids: has a NUL byte at offset {offset}, so it is no text: give"):
        got.extend(require_text(chunks, "ids"))
    assert b"".join(got) == b"".join(passed)


def test_a_database_is_named_with_the_option_for_checkpoints() -> None:
    content = b"SQLite format 3\0" + bytes(84)
    for size in (1, 5, 100):
        chunks = [content[at : at + size] for at in range(0, len(content), size)]
        with pytest.raises(
            InputError, match=r"^ids: is an SQLite database: if it is a checkpoint, name it with -c"
        ):
            list(require_text(chunks, "ids"))


def test_a_line_is_not_held_back_until_more_comes() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"7"
        yield b"\n"
        raise AssertionError("more was asked for")

    assert next(require_text(chunks(), "ids")) == b"7\n"
