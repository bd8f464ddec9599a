"""The command line ``faceattr``: data, train, evaluate, verify, predict, export.

Each verb lives in a file of its own with two functions: ``add`` declares its options, ``run`` does
the work. Errors that the user can mend are printed as one line on standard error; anything else
is a bug and shows its traceback.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from faceattr import __version__
from faceattr.cli import data, evaluate, export, predict, train, verify
from faceattr.errors import FaceattrError

VERBS = {
    "data": data,
    "train": train,
    "evaluate": evaluate,
    "verify": verify,
    "predict": predict,
    "export": export,
}

#: Exit codes: 0 done, 1 an error that the user can mend, 2 wrong options, 130 interrupted.
EXIT_ERROR, EXIT_INTERRUPTED = 1, 130


def parser() -> argparse.ArgumentParser:
    """Build the parser of all verbs."""
    top = argparse.ArgumentParser(
        prog="faceattr", description="Recognise the 40 attributes of a face."
    )
    top.add_argument("--version", action="version", version=f"faceattr {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        summary = (module.__doc__ or "").strip().splitlines()[0]
        sub = verbs.add_parser(
            name,
            help=summary,
            description=summary,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        module.add(sub)
        sub.set_defaults(run=module.run)
    return top


class _OneLineWarnings:
    """Prints each warning once, in one line, wherever and however often it is raised."""

    def __init__(self):
        self.said: set[str] = set()

    def __call__(self, message, category, filename, lineno, file=None, line=None) -> None:
        if str(message) not in self.said:
            self.said.add(str(message))
            print(f"faceattr: warning: {message}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    options = parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _OneLineWarnings()
        try:
            return options.run(options) or 0
        except FaceattrError as error:
            print(f"faceattr: error: {error}", file=sys.stderr)
            return EXIT_ERROR
        except KeyboardInterrupt as interrupt:
            print(f"\nfaceattr: interrupted. {interrupt}".rstrip(), file=sys.stderr)
            return EXIT_INTERRUPTED
        except BrokenPipeError:  # the reader, such as `head`, has gone: nothing is left to tell it
            sys.stderr.close()
            return 0


def entry() -> None:
    """Console script: run and exit."""
    sys.exit(main())
