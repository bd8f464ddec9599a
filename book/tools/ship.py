"""Put a trained checkpoint into the package, with a model card whose numbers are recorded runs.

    python book/tools/ship.py runs/snet3-celeba --name snet3-celeba --reports "celeba_snet3_seed*"

The checkpoint loses what only further training needs. The card's numbers are those of the same
recipe on people it was not trained on, read from the reports in ``book/results/``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from faceattr import pretty
from faceattr.checkpoint import SHIPPED, load_checkpoint, save_checkpoint
from faceattr.report import Report

RESULTS = Path(__file__).parents[1] / "results"

CARD = """# Model card: {name}

**What it is.** {model} ({count:,} parameters), PaW's smallest student network (Ding et al., AAAI
2018, Table 3), trained on the whole face. It takes a face of {height} x {width} pixels, framed as
CelebA's aligned pictures are, and scores {attributes} attributes.

**Data.** {data}. CelebA (Liu et al., ICCV 2015) is for non-commercial research only, and so is
this checkpoint. Its faces are celebrities', its labels were given by annotators who disagree with
each other, and some attributes (Attractive, Young, Chubby) are opinions.

**Training.** `{command}`, seed {seed}, {seconds:,.0f} seconds on {host}.

**How good.** Every face of the folder was used in training, so this file has no test faces of its
own. The same recipe on four fifths of the people, tested on others ({seeds}{mirror}):

| metric | mean | lowest | highest |
|---|---|---|---|
{rows}

Always answering with the more frequent label gives {majority:.1%} accuracy. The best and worst
attributes by balanced accuracy: {best}; {worst}.

**Do not use it** to decide anything about a person. It guesses looks, not traits; it was not
tested on people unlike CelebA's, and its errors are not spread evenly over people.
"""


def card(name: str, model, header: dict, reports: list[Report]) -> str:
    """The card's text."""

    def row(metric: str) -> str:
        values = [float(report.mean[metric]) for report in reports]
        mean = sum(values) / len(values)
        label = metric.replace("_", " ")
        return f"| {label} | {mean:.1%} | {min(values):.1%} | {max(values):.1%} |"

    balanced = {
        attribute: sum(float(r.attributes[attribute]["balanced_accuracy"]) for r in reports)
        / len(reports)
        for attribute in header["attributes"]
    }
    order = sorted(balanced, key=balanced.get)
    named = [f"{pretty(a)} {balanced[a]:.0%}" for a in (*order[:-4:-1], *order[:3])]
    record, (height, width) = header["record"], header["size"]
    flipped = all(report.record.get("flip") for report in reports)
    return CARD.format(
        name=name,
        model=type(model).__name__,
        count=model.count(),
        height=height,
        width=width,
        attributes=len(header["attributes"]),
        data=record["data"],
        command=record["command"],
        seed=record["seed"],
        seconds=record["seconds"],
        host=record["host"],
        seeds=f"{len(reports)} seeds" if len(reports) > 1 else "one seed",
        mirror=", each face averaged with its mirror image" if flipped else "",
        rows="\n".join(map(row, ("accuracy", "balanced_accuracy", "f1", "average_precision"))),
        majority=float(reports[0].mean["majority_accuracy"]),
        best=", ".join(named[:3]),
        worst=", ".join(named[3:]),
    )


def main() -> None:
    """Write the checkpoint and its card into the package."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder that training wrote")
    parser.add_argument("--name", required=True, help="what the checkpoint is called")
    parser.add_argument("--reports", required=True, help="pattern of reports in book/results")
    parser.add_argument("--framing", default="aligned", choices=("aligned", "wild", "whole"))
    options = parser.parse_args()
    reports = [Report.load(path) for path in sorted(RESULTS.glob(f"{options.reports}.json"))]
    if not reports:
        parser.error(f"no report {options.reports}.json in {RESULTS}")
    # an averaged model's last epoch is the recipe's result; no face is left to choose a best by
    model, header = load_checkpoint(options.run / "last.safetensors")
    kept = {key: header[key] for key in ("record", "attributes", "size", "epoch")}
    framing = header.get("framing") or options.framing
    path = SHIPPED / f"{options.name}.safetensors"
    save_checkpoint(path, model, **kept, framing=framing)
    path.with_suffix(".md").write_text(card(options.name, model, header, reports))
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, card {path.with_suffix('.md').name}")


if __name__ == "__main__":
    main()
