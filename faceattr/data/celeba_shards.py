"""CelebA in Parquet or Arrow shards: Hugging Face's ``flwrlabs/celeba``.

Each shard is a table of ``image`` (a struct of ``bytes`` and ``path``), ``celeb_id`` and one bool
column an attribute. The part a face belongs to is in the shard's name (``train-00000-of-00019``)
or in its folder's. Arrow shards are those that ``Dataset.save_to_disk`` writes.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from faceattr.data.celeba_layouts import Labels, attribute_columns
from faceattr.data.partition import SPLITS
from faceattr.errors import DataError, MissingDependencyError

_SPLIT = re.compile(r"(?:^|[-_.])(train|valid|validation|test)(?:$|[-_.])")
_OF = re.compile(r"(.*?)(\d{5})-of-(\d{5})(.*)")


def find_shards(tree: dict[Path, list[str]]) -> list[Path]:
    """All Parquet and Arrow files of a folder tree, train, valid, test, each in order."""
    found = [
        folder / name
        for folder, names in tree.items()
        for name in names
        if name.endswith((".parquet", ".arrow"))
    ]
    return sorted(found, key=lambda path: (_part_of(path), path))


def missing_shards(shards: list[Path]) -> list[str]:
    """Names of shards that the others' numbering (``-of-00019``) promises and that are not here."""
    absent = []
    for path in shards:
        if match := _OF.fullmatch(path.name):
            before, _, of, after = match.groups()
            series = [f"{before}{n:05d}-of-{of}{after}" for n in range(int(of))]
            absent += [name for name in series if not path.with_name(name).exists()]
    return sorted(set(absent))


class Shards:
    """The tables behind a list of shards; pictures are read when they are asked for.

    Args:
        paths: Parquet or Arrow files.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        DataError: a shard is cut, or holds no CelebA.
    """

    def __init__(self, paths: list[Path]):
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError(
                f"{paths[0]} is a Parquet or Arrow file and needs pyarrow: pip install pyarrow"
            ) from error
        self.paths = paths
        self._lock = threading.Lock()
        self._pictures = lru_cache(maxsize=4)(self._read_pictures)
        self.place: list[tuple[int, int, int]] = []  # (shard, block, row in the block)

    def labels(self) -> Labels:
        """Read everything but the pictures.

        Raises:
            DataError: a shard is cut, or lacks a column.
        """
        import pyarrow as pa

        tables = []
        for number, path in enumerate(self.paths):
            with _named(path):
                blocks, columns = self._blocks(path)
            absent = {"image"} - set(columns)
            if absent:
                raise DataError(f"{path} has no column image: it is not flwrlabs/celeba")
            plain = tuple(c for c in columns if c not in ("image", "celeb_id"))
            wanted = list(attribute_columns(plain, path)[0]) + ["celeb_id"] * (
                "celeb_id" in columns
            )
            with _named(path):
                tables.append(self._read(path, wanted))
            self.place += [(number, b, row) for b, rows in enumerate(blocks) for row in range(rows)]
        try:
            table = pa.concat_tables(tables)
        except pa.ArrowInvalid as error:
            raise DataError(
                f"the shards from {self.paths[0]} on do not have the same columns ({error}): "
                "keep those of one data set in the folder"
            ) from error
        names = tuple(name for name in table.column_names if name != "celeb_id")
        parts = np.repeat(
            [_part_of(path) for path in self.paths], [len(table) for table in tables]
        ).astype(np.int8)
        identity = None
        if "celeb_id" in table.column_names:
            identity = np.asarray(table["celeb_id"].to_pylist(), dtype=np.int64)
        return Labels(
            layout="huggingface",
            names=names,
            files=np.array([f"{self.paths[s].name}[{b}:{row}]" for s, b, row in self.place]),
            attributes=np.stack(
                [np.asarray(table[name]).astype(np.float32) for name in names], 1
            ),  # (N, M)
            identity=identity,
            partition=None if (parts < 0).any() else parts,
            box=None,
            landmarks={},
        )

    def picture(self, row: int) -> bytes:
        """The file content of one picture; rows in order are read fastest.

        Raises:
            DataError: the shard is cut.
        """
        shard, block, place = self.place[row]
        with self._lock:
            pictures = self._pictures(shard, block)
        content = pictures[place].as_py()
        return (content["bytes"] if isinstance(content, dict) else content) or b""

    def _blocks(self, path: Path) -> tuple[list[int], list[str]]:
        """Rows in each block that can be read on its own, and the column names."""
        if path.suffix == ".arrow":
            table = self._stream(path)
            return [len(table)], table.column_names
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            meta = file.metadata
            counts = [meta.row_group(group).num_rows for group in range(meta.num_row_groups)]
            return counts, file.schema_arrow.names

    def _read(self, path: Path, columns: list[str]):
        if path.suffix == ".arrow":
            return self._stream(path).select(columns).replace_schema_metadata()
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            return file.read(columns=columns).replace_schema_metadata()

    def _read_pictures(self, shard: int, block: int):
        path = self.paths[shard]
        with _named(path):
            if path.suffix == ".arrow":
                return self._stream(path)["image"]
            import pyarrow.parquet as pq

            with pq.ParquetFile(path) as file:
                return file.read_row_group(block, columns=["image"])["image"]

    def _stream(self, path: Path):
        import pyarrow as pa

        return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()


@contextmanager
def _named(path: Path):
    """Say which shard a pyarrow error is about."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read ({str(error)[:120]}): download it again") from error


def _part_of(path: Path) -> int:
    """0, 1, 2 by the shard's or its folder's name; -1 where neither says."""
    for name in (path.stem, path.parent.name):
        if match := _SPLIT.search(name):
            return SPLITS.index("valid" if match[1] == "validation" else match[1])
    return -1
