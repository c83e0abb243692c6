"""Rows inside a quoted cell: those that a stray quote put there are told, text of several lines is not."""

import pytest

from autoft.data.formats import read_file

ROWS = [(f"message {i} came", ("bill", "ship", "acc")[i % 3]) for i in range(12)]


def finding(tmp_path, name, lines):
    delimiter = "\t" if name.endswith("tsv") else ","
    content = "".join(f"{delimiter.join(fields)}\n" for fields in [("text", "queue"), *lines])
    (tmp_path / name).write_text(content)
    found = read_file(tmp_path / name, ["text", "queue"]).findings
    return str(*found) if found else None


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_swallowed_rows_are_counted_and_the_line_is_named(tmp_path, name):
    # A quote before the third message (line 4) and one behind the sixth: three rows end inside the cell.
    rows = list(ROWS)
    rows[2], rows[5] = (f'"{rows[2][0]}', rows[2][1]), (f'{rows[5][0]}"', rows[5][1])
    said = finding(tmp_path, name, rows)
    assert said is not None
    assert said.startswith(f"{name}: 3 lines that look like rows are inside a quoted cell at line 4 (3), so")


def test_several_cells_are_named_together(tmp_path):
    rows = list(ROWS)
    for first, last in ((0, 1), (6, 9)):
        rows[first] = (f'"{rows[first][0]}', rows[first][1])
        rows[last] = (f'{rows[last][0]}"', rows[last][1])
    said = finding(tmp_path, "t.csv", rows)
    assert said is not None
    assert "4 lines that look like rows are inside 2 quoted cells at lines 2 (1), 8 (3)" in said


def test_a_swallowed_cell_of_a_column_that_is_not_read_counts_too(tmp_path):
    (tmp_path / "t.csv").write_text('note,text,queue\nx,a,bill\n"y,b,ship\nz,c,bill\nw",d,ship\n')
    (found,) = read_file(tmp_path / "t.csv", ["text", "queue"]).findings
    assert "2 lines that look like rows are inside a quoted cell at line 3 (2)" in str(found)


def test_text_of_several_lines_is_nothing_to_tell(tmp_path):
    letter = '"Dear team,\nplease, the parcel\nis not here, and I wait,\n\nyours, A"'
    assert finding(tmp_path, "t.csv", [*ROWS, (letter, "ship"), ('"one\n\ntwo"', "bill")]) is None
