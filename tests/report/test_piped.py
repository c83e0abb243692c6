"""What is printed into a pipe is whole."""

from rich.table import Table

from autoft.report.printing import new_console


def printed(capsys):
    table = Table(box=None)
    for number in range(20):
        table.add_column(f"a_long_parameter_{number}")
    table.add_row(*["0.0001234"] * 20)
    new_console().print(table)
    return capsys.readouterr().out.splitlines()


def test_a_table_that_is_piped_is_not_cut(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    heading, row = printed(capsys)
    assert heading.split() == [f"a_long_parameter_{number}" for number in range(20)]
    assert row.split() == ["0.0001234"] * 20


def test_who_names_a_width_gets_it(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    assert max(map(len, printed(capsys))) <= 70
