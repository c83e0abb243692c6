"""Which encodings are read, and what is said of the others."""

import subprocess

import pytest

from autoft.data.formats import read_file
from autoft.errors import DataError

ENGLISH = "text,queue\nthe café is shut,a\nwhere is it,b\n"
CHINESE = "text,queue\n一一包裹在哪里,一\n订单,二\n"  # 一 is U+4E00: a null byte that is no ASCII
WANTED = ["text", "queue"]


def read(path, content):
    path.write_bytes(content)
    return read_file(path, WANTED)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["english", "chinese"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_unicode_without_a_mark_is_read_and_told(tmp_path, text, encoding):
    right = read(tmp_path / "right.csv", text.encode()).columns
    split = read(tmp_path / "t.csv", text.encode(encoding))
    assert split.columns == right
    (finding,) = split.findings
    assert (
        f"t.csv: is not UTF-8 and has no byte order mark; by its bytes it is read as {encoding.upper()}"
        in str(finding)
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])  # Python writes the mark
def test_unicode_that_says_what_it_is_needs_no_word(tmp_path, encoding):
    split = read(tmp_path / "t.csv", ENGLISH.encode(encoding))
    assert split.columns["text"] == ["the café is shut", "where is it"]
    assert split.findings == ()


def test_jsonl_is_read_in_the_same_encodings(tmp_path):
    split = read(tmp_path / "t.jsonl", '{"text": "café", "queue": "a"}\n'.encode("utf-16-be"))
    assert split.columns == {"text": ["café"], "queue": ["a"]}
    assert "UTF-16-BE" in str(*split.findings)


def test_a_stray_null_character_does_not_make_utf_8_anything_else(tmp_path):
    split = read(tmp_path / "t.csv", b"text,queue\nit broke\0 again and again,a\n")
    assert split.columns["text"] == ["it broke\0 again and again"]
    assert split.findings == ()


def test_windows_1252_is_refused_with_the_word_as_it_would_read_and_a_command_that_mends_it(tmp_path):
    path = tmp_path / "my tickets.csv"
    with pytest.raises(DataError) as raised:
        read(path, ENGLISH.encode("cp1252"))
    said = str(raised.value)
    assert said.startswith(
        "my tickets.csv:2: byte 0xe9 is not UTF-8; as Windows-1252 (Latin-1) it would read 'café'"
    )
    command = said[said.index("iconv") : said.index(";", said.index("iconv"))]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    assert read_file(tmp_path / "my tickets-utf8.csv", WANTED).columns["text"][0] == "the café is shut"


def test_bytes_that_windows_1252_lacks_are_refused_without_a_guess(tmp_path):
    with pytest.raises(DataError, match=r"^t\.csv:2: byte 0x81 is not UTF-8; save the file as UTF-8$"):
        read(tmp_path / "t.csv", b"text,queue\n\x81\x8d,a\n")


def test_damaged_utf_16_names_the_line(tmp_path):
    content = ENGLISH.encode("utf-16")
    with pytest.raises(DataError, match=r"^t\.csv:3: byte 0x0a is not UTF-16: the file is damaged"):
        read(tmp_path / "t.csv", content[:-1])
