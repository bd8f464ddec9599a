"""Make ``import faceattr`` work in a kernel that was not set up for it, such as Colab's.

Run from a chapter's install cell with ``%run``. It adds the checkout to ``sys.path`` and installs
the few light packages that are missing, each without its dependencies: torch and whatever else the
machine has already are left as they are.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

#: Import name and what pip calls it. torch and torchvision are never among them.
LIGHT = {
    "lightning_fabric": "lightning-fabric",
    "lightning_utilities": "lightning-utilities",
    "safetensors": "safetensors",
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "PIL": "pillow",
    "tqdm": "tqdm",
    "filelock": "filelock",
    "matplotlib": "matplotlib",
    "seaborn": "seaborn",
    "altair": "altair",
    "narwhals": "narwhals",
    "ipywidgets": "ipywidgets",
    "skimage": "scikit-image",
    "captum": "captum",
    "facenet_pytorch": "facenet-pytorch",
}
NEEDED_ALREADY = ("torch", "torchvision")


def missing(present=importlib.util.find_spec) -> list[str]:
    """The light packages that are not there, by the name pip knows."""
    return [name for module, name in LIGHT.items() if present(module) is None]


def main() -> None:
    """Install what is missing, then let this kernel find the library."""
    for module in NEEDED_ALREADY:
        if importlib.util.find_spec(module) is None:
            raise SystemExit(
                f"{module} is not installed here: set up the checkout with `make install`, "
                "or `pip install -r requirements.txt`"
            )
    if packages := missing():
        print("installing", ", ".join(packages))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *packages]
        subprocess.run(pip, check=True)
    root = str(Path(__file__).resolve().parents[2])
    if root not in sys.path:
        sys.path.insert(0, root)
    importlib.invalidate_caches()


if __name__ == "__main__":
    main()
