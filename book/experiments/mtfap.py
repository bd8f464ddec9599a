"""The runs behind chapters 10 to 12: groups, graphs and verification, at six budgets of labels.

    python book/experiments/mtfap.py run synth --seed 0       # one seed; again: goes on
    python book/experiments/mtfap.py run celeba --seed 0 --celeba DIR --lfw DIR --workers 2
    python book/experiments/mtfap.py collect synth            # -> book/results/mtfap_synth.json
    python book/experiments/mtfap.py prepare --celeba DIR --lfw DIR   # photographs to take along

============================  ==================================================================
name                          what it is
============================  ==================================================================
heads-l2-500                  the tasks' weights alone, on features that other faces taught: one
                              by one (Eq. 1), 500 labelled faces
heads-none-500                the same with next to no penalty
heads-groups-500, ...         the nine known groups (proximal steps), the same by Algorithms 1 and
                              2, groups of the same sizes at random
heads-graph-logdet-500, ...   Algorithm 3 with one of four steps for its graph
heads-graph-logdet+alpha=3-.. more edges than with the step's own alpha, 0.3
heads-l2+xi=20-500, ...       another xi, gamma or lambda than the paper's
heads-l2+chosen-500, ...      the best of five strengths, chosen on other people by accuracy
heads-l2+ranked-500, ...      the same by average precision
none-500                      the shared trunk without structure, trained from the start
groups-500, graph-logdet-500  the same with known groups, with a learned graph
l2-500, shuffled-500          its weights kept short; groups at random
probed-500                    the known groups with one random column in Algorithm 1's probe
independent-500               one network for each attribute, with as many weights in all
labels-500                    what the labels of those faces say of the graph, without a network
siamese, verification         the verifier, and all scores of pairs
============================  ==================================================================

All networks of an experiment but the independent ones have the same small trunk (0.1M parameters),
about 400 steps of 64 faces (8 to 300 passes), AdamW at 3e-3 with a one-cycle rate, averaged
weights, flips and shifts. A seed is one order of the labelled faces, one set of first weights and
one shuffling of the groups. The paper trains VGG-16 on 160,000 faces; what is tested here is
whether the structure of tasks helps where labels are few, which is what the method is for.

Parts are done in the order in which they stand in ``PARTS``: whoever stops early has whole parts.
Reports with their predictions stay under ``runs/``, which is not published. ``collect`` writes
means, intervals and differences of what every seed has.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
import warnings
from pathlib import Path

import collecting
import mtfap_chosen
import mtfap_faces
import mtfap_jobs as jobs
import torch
from mtfap_chosen import CHOSEN, DENSE, STRENGTHS

from faceattr.errors import DataError
from faceattr.files import write_atomically

BUDGETS = (50, 100, 200, 500, 1000, 4000)
GRAPHS = tuple(f"graph-{step}" for step in jobs.GRAPHS)
HEADS = ("l2", "none", "groups", "shuffled", *GRAPHS, DENSE, "groups-algorithms")
#: Networks that are trained at every budget, and those that are at some.
NETWORKS = ("none", "groups", "graph-logdet")
BESIDE = {"shuffled": (50, 500), "l2": (50, 500), DENSE: (50, 500)}
INDEPENDENT = (50, 500)
#: Other values of the three weights, at this budget; the paper's are 1, 0.01 and 0.75. They weigh
#: a loss summed over faces: on its mean the paper's would be gamma 500, lam 5 and xi 375. Of gamma
#: and lambda only the product counts on fixed features, so that gamma alone is turned there; with
#: :data:`mtfap_chosen.STRENGTHS`, it takes the products 1e-3, 1e-2, ... 1e5.
SWEEP_AT = 500
GAMMAS, XIS = (0.1, 10, 100, 1000000, 10000000), (0.1, 1000)
SWEEPS = (
    *(f"groups+gamma={g}" for g in GAMMAS),
    *(f"{m}+xi={x}" for m in ("l2", "graph-logdet") for x in XIS),
)
#: Stronger penalties, at every budget.
STRONG = tuple(strength for all_ in STRENGTHS.values() for strength in all_[1:])
TRAINED_SWEEPS = (
    *(f"groups+gamma={x}" for x in (10, 100, 1000)),
    *(f"groups+lam={x}" for x in (1, 10, 100)),
    *(f"graph-logdet+xi={x}" for x in (10, 100, 1000)),
    "probed",
)
#: Whose attributes are tried on pairs, and at which budgets.
VERIFIERS = ("none-50", "none-500", "none-4000", "groups-4000", "graph-logdet-4000")
#: Kinds of jobs that leave a report.
REPORTS = ("network", "heads", "chosen")
#: In the order in which they are done.
PARTS = ("heads", "sweeps", "budgets", "verification", "trained-sweeps", "independent")


def budgets(pool: int) -> list[int]:
    """The budgets that there are faces for; the last is all of them."""
    return [count for count in BUDGETS if count < pool] + [min(pool, BUDGETS[-1])]


def plan(parts: list[str], pool: int) -> list[list[tuple]]:
    """Jobs ``(kind, name, method, count)`` in rounds: a round needs what those before it leave."""
    counts, at = budgets(pool), min(SWEEP_AT, pool)
    rounds: list[list[tuple]] = [[], [], []]

    def add(place: int, kind: str, methods, numbers, prefix: str = "") -> None:
        rounds[place] += [(kind, f"{prefix}{m}-{n}", m, n) for n in numbers for m in methods]

    if "heads" in parts or "sweeps" in parts:
        rounds[0] += [("trunk", "trunk", "", 0)]
    if "heads" in parts:
        rounds[0] += [("labels", f"labels-{n}", "", n) for n in counts]
        add(1, "heads", HEADS, counts, "heads-")
    if "sweeps" in parts:
        add(1, "heads", STRONG, counts, "heads-")
        add(1, "heads", SWEEPS, [at], "heads-")
        if "heads" in parts:
            rounds[2] += [
                ("chosen", f"heads-{m}{way}-{n}", m, n)
                for way in CHOSEN
                for n in counts
                for m in STRENGTHS
            ]
    if "budgets" in parts:
        add(1, "network", NETWORKS, [at, *(n for n in counts if n != at)])
        for method, wanted in BESIDE.items():
            add(1, "network", [method], dict.fromkeys(min(n, pool) for n in wanted))
    if "verification" in parts:
        rounds[1] += [("siamese", name, "", 0) for name in ("siamese", "siamese-identity")]
        for method, _, count in (name.rpartition("-") for name in predictors(pool)):
            add(1, "network", [method], [int(count)])
        rounds[2] += [("verification", "verification", "", 0)]
    if "trained-sweeps" in parts:
        add(2, "network", TRAINED_SWEEPS, [at])
    if "independent" in parts:
        add(2, "network", ["independent"], dict.fromkeys(min(n, pool) for n in INDEPENDENT))
    return [list(dict.fromkeys(jobs_)) for jobs_ in rounds]


def predictors(pool: int) -> list[str]:
    """Of :data:`VERIFIERS`, with the budgets that there are."""
    found = [name.rpartition("-") for name in VERIFIERS]
    return list(dict.fromkeys(f"{m}-{min(int(n), pool)}" for m, _, n in found))


def done(folder: Path, job: tuple) -> bool:
    """Whether a job has left what it leaves."""
    kind, name, *_ = job
    if kind == "trunk":
        return (folder / "models" / "features.pt").is_file()
    report = kind not in REPORTS or (folder / f"{name}.json").is_file()
    return report and (folder / "facts" / f"{name}.json").is_file()


def perform(
    job: tuple, folder: Path, path: Path, seed: int, device: str, precision: str
) -> str:  # fmt: skip
    """Do one job; says how long it took."""
    kind, name, method, count = job
    torch.set_num_threads(1)
    data = mtfap_faces.kept(path)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no face of")  # rare attributes, few faces
        if kind == "network":
            jobs.network(data, folder, name, method, count, seed, device, precision)
        elif kind == "labels":
            jobs.labels_graph(data, folder, name, count, seed)
        elif kind == "trunk":
            jobs.trunk(data, folder, seed, device, precision)
        elif kind == "heads":
            jobs.heads(data, folder, name, method, count, seed)
        elif kind == "chosen":
            metric = CHOSEN["+" + name.rpartition("-")[0].rpartition("+")[2]]
            report, strengths = mtfap_chosen.choose(folder, method, count, seed, metric)
            jobs.note(folder, name, {"strengths": strengths})
            report.save(folder / f"{name}.json", predictions=True)
        elif kind == "siamese":
            jobs.siamese(data, folder, name, seed, device, precision)
        else:
            jobs.verification(data, folder, name, predictors(len(data.pool)), device)
    return f"{time.strftime('%H:%M:%S')} {name}: {time.perf_counter() - began:.1f} s"


def run(
    path: Path, folder: Path, seed: int, parts: list[str], *, device: str = "cpu",
    precision: str = "32-true", workers: int = 1,
) -> None:  # fmt: skip
    """All jobs of a seed that are not done, in as many processes."""
    pool = len(mtfap_faces.kept(path).pool)
    for stage in plan(parts, pool):
        open_ = [job for job in stage if not done(folder, job)]
        print(f"seed {seed}: {len(stage)} jobs, {len(open_)} to do", flush=True)
        rest = (folder, path, seed, device, precision)
        if workers == 1:
            for job in open_:
                print(perform(job, *rest), flush=True)
            continue
        with multiprocessing.get_context("spawn").Pool(min(workers, max(len(open_), 1))) as crew:
            waiting = [crew.apply_async(perform, (job, *rest)) for job in open_]
            for answer in waiting:
                print(answer.get(), flush=True)


def names_of(folder: Path, pool: int) -> list[str]:
    """Reports that every seed has, of those that are planned.

    Raises:
        DataError: there is none.
    """
    seeds = [place for place in folder.glob("seed*") if place.is_dir()]
    names = [
        job[1]
        for stage in plan(list(PARTS), pool)
        for job in stage
        if job[0] in REPORTS and all((s / f"{job[1]}.json").is_file() for s in seeds)
    ]
    if not (seeds and names):
        raise DataError(f"no job under {folder} was done with every seed: run one first")
    return names


def differences(names: list[str]) -> list[str]:
    """What is compared: structure with none of it, prior with learned, right groups with wrong."""
    pairs = []
    for name in names:
        start, _, count = name.rpartition("-")
        head = "heads-" if start.startswith("heads-") else ""
        method = start.removeprefix(head)
        rivals = {
            "groups": ("none", "l2", "independent", "shuffled", "graph-logdet"),
            "groups-algorithms": ("groups", "l2"),
            "shuffled": ("none", "l2"),
            "probed": ("groups",),
            "l2": ("none",),
            "none": ("independent",),
        }.get(method, ("none", "l2", "independent") if method.startswith("graph") else ())
        if method.endswith(tuple(CHOSEN)):
            rivals = mtfap_chosen.rivals(method)
        elif "+" in method:  # what the paper's own weights give, and l2 of the same xi
            base, *changes = method.split("+")
            rivals = (base,)
            if base.startswith("graph"):
                same = [f"+{change}" for change in changes if change.startswith("xi=")]
                rivals += ("".join(["l2", *same]),)
        pairs += [f"{name} - {head}{rival}-{count}" for rival in rivals]
    known = set(names)
    return [p for p in pairs if (ends := p.split(" - "))[1] in known and ends[0] != ends[1]]


def collect(folder: Path, pool: int) -> dict:
    """All seeds as :func:`collecting.collect` has them, without tables of single attributes.

    ``facts`` holds what the jobs noted, name to seed: of graphs ``[precision, recall, f1, edges]``,
    and matrices and ROC curves of the first seed alone, at the largest budget and where gamma is
    turned.
    """
    names = names_of(folder, pool)
    results = collecting.collect(folder, names, differences(names), bootstrap=jobs.BOOTSTRAP)
    for table in (results["networks"], results["differences"]):
        for row in table.values():
            row.pop("attributes")
    results["record"] |= {"budgets": budgets(pool), "sweep_at": min(SWEEP_AT, pool)}
    seeds, facts = results["record"]["seeds"], {}
    for seed in seeds:
        for path in sorted((folder / f"seed{seed}" / "facts").glob("*.json")):
            found = json.loads(path.read_text())
            first = seed == seeds[0]
            start, _, count = path.stem.rpartition("-")
            sweep = start.startswith("heads-groups") and int(count) == min(SWEEP_AT, pool)
            drawn = sweep or count == str(budgets(pool)[-1])
            for heavy in ("adjacency", "coefficients", "groups"):
                if not (first and drawn):
                    found.pop(heavy, None)
            for truths in found.get("graphs", {}).values():
                for truth in truths.values():
                    for how in ("threshold", "count"):
                        truth[how] = list(truth[how].values())
            if not first:
                for row in found.get("rows", {}).values():
                    row.pop("roc")
            facts.setdefault(path.stem, {})[str(seed)] = shorter(found)
    results["facts"] = facts
    return results


def shorter(value):
    """Numbers of four digits: enough to draw with."""
    if isinstance(value, dict):
        return {key: shorter(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [shorter(entry) for entry in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    """Make the photographs small, run one seed, or collect all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("prepare", "run", "collect"))
    parser.add_argument("data", choices=("synth", "celeba"), nargs="?", default="celeba")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--celeba", type=Path, help="CelebA's folder (default: what was prepared)")
    parser.add_argument("--lfw", type=Path, help="LFW's folder (default: what was prepared)")
    parser.add_argument("--faces", type=int, default=mtfap_faces.POOL)
    parser.add_argument("--test", type=int, default=mtfap_faces.TEST)
    parser.add_argument("--parts", default=",".join(PARTS), help="some of these, with commas")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--workers", type=int, default=1, help="processes at once")
    parser.add_argument("--runs", type=Path, default=Path("runs/mtfap"))
    parser.add_argument("--results", type=Path, default=Path("book/results"))
    options = parser.parse_args()
    prepared, folder = options.runs / "data", options.runs / options.data
    celeba, lfw = options.celeba or prepared / "celeba", options.lfw or prepared / "lfw"
    if options.what == "prepare":
        print(f"{mtfap_faces.prepare(celeba, lfw, prepared) / 1e6:.1f} MB in {prepared}")
        return
    parts, path = options.parts.split(","), folder / "faces.pt"
    if set(parts) - set(PARTS):
        parser.error(f"--parts {options.parts}: choose some of {', '.join(PARTS)}")
    if options.what == "collect":
        pool = len(mtfap_faces.kept(path).pool)
        target = options.results / f"mtfap_{options.data}.json"
        found = json.dumps(collect(folder, pool), allow_nan=False, separators=(",", ":"))
        print(write_atomically(target, found.encode() + b"\n"))
        return
    if not path.is_file():
        if options.data == "synth":
            found = mtfap_faces.draw(options.faces, options.test)
        else:
            cache = options.runs / "cache"
            found = mtfap_faces.read(celeba, lfw, options.faces, options.test, cache)
        mtfap_faces.keep(found, path)
    how = {"device": options.device, "precision": options.precision, "workers": options.workers}
    run(path, folder / f"seed{options.seed}", options.seed, parts, **how)


if __name__ == "__main__":
    main()
