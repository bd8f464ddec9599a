"""Reading one of CelebA's label tables, and saying which line is wrong when one is.

The official text files and Kaggle's CSV files hold the same rows: a file name, then numbers. The
text files of attributes, boxes and landmarks start with the number of rows and the column names,
those of identities and partition have no head, and every CSV starts with the column names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from faceattr.errors import DataError

_REMEDY = "the file seems cut or damaged: copy it again from the original"


@dataclass(frozen=True)
class Table:
    """A label file: row ``i`` belongs to the picture ``files[i]``.

    Attributes:
        path: where it was read.
        names: the column names; empty where the file has none.
        files: ``(N,)`` picture file names.
        values: ``(N, C)`` float64.
        counted: does the file itself say how many rows it has?
    """

    path: Path
    names: tuple[str, ...]
    files: pd.Index
    values: np.ndarray
    counted: bool

    def rows_of(self, files: pd.Index, owner: Path, whole: bool) -> np.ndarray:
        """The values in the order of ``files``, the rows of the file ``owner``.

        Args:
            files: picture names wanted.
            owner: the file that these names come from, for the error.
            whole: do ``files`` have to be all that this table has?

        Raises:
            DataError: one file has a row that the other lacks: it was cut.
        """
        place = self.files.get_indexer(files)
        if (place < 0).any():
            self._lacking(owner, files, int((place < 0).sum()), files[np.argmax(place < 0)])
        if whole and len(self.files) > len(files):
            extra = self.files.difference(files, sort=False)
            fewer = Table(owner, ("image_id",), files, self.values, False)  # a CSV file: no count
            fewer._lacking(self.path, self.files, len(extra), extra[0])
        return self.values[place]

    def _lacking(self, other: Path, others: pd.Index, count: int, first: str) -> None:
        line = len(self.files) + (2 if self.counted else bool(self.names))
        raise DataError(
            f"{self.path} ends at line {line} ({self.files[-1]}) and lacks {count:,} of the "
            f"{len(others):,} rows of {other}, the first {first}: {_REMEDY}. To use fewer faces, "
            "leave out pictures and keep every row"
        )


def read_table(
    path: Path, *, head: bool, columns: int | None = None, allowed: tuple[int, ...] | None = None
) -> Table:
    """Read a label file in either form; the ending ``.csv`` or ``.txt`` tells which.

    Args:
        path: the file.
        head: does the text form start with a count and the column names?
        columns: how many numbers a row has; as many as there are names by default.
        allowed: the only values a number may have.

    Raises:
        DataError: the file is cut or damaged; the message names the line.
    """
    comma = path.suffix.lower() == ".csv"
    count, names, skip = None, (), 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            if head and not comma:
                count, names, skip = (
                    _count(path, file.readline()),
                    tuple(file.readline().split()),
                    2,
                )
            elif comma:
                names, skip = tuple(name.strip() for name in file.readline().split(",")), 1
            names = names[1:] if names[:1] == ("image_id",) else names
            columns = columns or len(names)
            frame = pd.read_csv(
                file,
                sep="," if comma else r"\s+",
                header=None,
                dtype={0: str},
                low_memory=False,
                index_col=False,
                skip_blank_lines=True,
            )
        values = frame.iloc[:, 1:].to_numpy(dtype=np.float64)
        fine = values.shape[1] == columns and np.isfinite(values).all()
        fine = fine and (allowed is None or np.isin(values, allowed).all())
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text ({error}): {_REMEDY}") from error
    except (ValueError, pd.errors.ParserError):  # an empty file, a word, a row too long
        fine = False
    if not fine:
        raise DataError(_first_fault(path, comma, skip, columns, allowed))
    files = pd.Index(frame[0].str.strip())
    if count is not None and count != len(files):
        raise DataError(
            f"{path}, line {skip + len(files)}: the file ends after {len(files):,} rows, but its "
            f"first line promises {count:,}: {_REMEDY}"
        )
    if not files.is_unique:
        raise DataError(f"{path} has two rows for {files[files.duplicated()][0]}: remove one")
    return Table(path, names, files, values, count is not None)


def _count(path: Path, line: str) -> int:
    try:
        return int(line)
    except ValueError:
        raise DataError(
            f"{path}, line 1: {line.strip()[:40]!r} is not the number of rows: {_REMEDY}"
        ) from None


def _first_fault(path: Path, comma: bool, skip: int, columns: int | None, allowed) -> str:
    """Go through the file again, slowly, to the line that is wrong."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            fields = [part.strip() for part in line.split(",")] if comma else line.split()
            if number <= skip or not fields or fields == [""]:
                continue
            if len(fields) != columns + 1:
                return (
                    f"{path}, line {number}: {len(fields) - 1} values after the file name "
                    f"instead of {columns}: {_REMEDY}"
                )
            for field in fields[1:]:
                problem = _fault_of(field, allowed)
                if problem:
                    return f"{path}, line {number} ({fields[0]}): {problem}: {_REMEDY}"
    return f"{path} has no rows: {_REMEDY}"


def _fault_of(field: str, allowed) -> str | None:
    try:
        value = float(field)
    except ValueError:
        return f"{field!r} is not a number"
    if not np.isfinite(value):
        return f"{field!r} is not a number"
    if allowed is not None and value not in allowed:
        return f"the value {field} is none of {', '.join(map(str, allowed))}"
    return None
