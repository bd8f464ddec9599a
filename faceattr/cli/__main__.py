"""``python -m faceattr.cli`` is the same as ``faceattr``."""

from faceattr.cli import entry

entry()
