"""The table of the sources that flows were read from: a row of `flow` names its source by number.

Names and numbers are kept in memory too, since most flows come from the same few sources.
"""

import sqlite3

from flowreaper.store.sqlite import columns


class Sources:
    """The sources of one checkpoint, by name and by number. Every method may raise sqlite3.Error."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def number(self, db: sqlite3.Connection, name: str) -> int:
        """Return a source's number; add the source where it is new."""
        number = self._numbers.get(name)
        if number is None:
            db.execute("INSERT OR IGNORE INTO source (name) VALUES (?)", (name,))
            (number,) = db.execute("SELECT id FROM source WHERE name = ?", (name,)).fetchone()
            self._numbers[name] = number
        return number

    def name(self, db: sqlite3.Connection, number: int) -> str:
        """Return the name of the source with this number; empty where the file has none.

        Raises:
            ValueError: the file is damaged or forged.
        """
        name = self._names.get(number)
        if name is None:
            (kept,) = db.execute("SELECT name FROM source WHERE id = ?", (number,)).fetchone() or ("",)
            name = self._names[number] = columns.text(kept)
        return name

    def forget_new(self) -> None:
        """Forget the numbers: call it after a rollback, which may have removed new sources."""
        self._numbers.clear()
