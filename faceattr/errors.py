"""The errors a user can mend: each message names the file or value at fault and the remedy.

Anything that is not a :class:`FaceattrError` is a bug of ours; the command line prints the first
kind as one line and lets the second kind show its traceback.
"""


class FaceattrError(Exception):
    """Base of all errors that the user of the library can mend."""


class UnknownNameError(FaceattrError, KeyError):
    """An attribute, model, method, data set or profile of that name does not exist."""

    def __str__(self) -> str:  # KeyError would print the message in quotes
        return str(self.args[0]) if self.args else ""


class DataError(FaceattrError):
    """A data set is missing, torn or not laid out as expected."""


class ImageError(DataError):
    """One image cannot be read or used; the message names the file."""


class MapError(FaceattrError):
    """Heat maps cannot be made or scored: no such layer, shapes that differ, values not finite."""


class CheckpointError(FaceattrError):
    """A checkpoint is missing, torn, of another model, or from a newer version."""


class TrainingError(FaceattrError):
    """Training cannot start or go on: a non-finite loss, a mismatched resume, a full disk."""


class MissingDependencyError(FaceattrError, ImportError):
    """An optional package is not installed; the message holds the pip line that installs it."""
