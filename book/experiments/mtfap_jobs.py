"""The single runs behind chapters 10 to 12; :mod:`mtfap` names them and shares them out.

A job trains one network (or solves one problem on given features), reports on the test faces and
notes what it found beside: ``NAME.json`` is a report with predictions, ``facts/NAME.json`` numbers.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from mtfap_faces import Experiment
from torch import Tensor

from faceattr.attributes import GROUPS
from faceattr.checkpoint import load_checkpoint, save_checkpoint
from faceattr.data.faces import UNKNOWN, FaceDataset
from faceattr.data.labels import LabelModel
from faceattr.evaluation import evaluate
from faceattr.files import write_atomically
from faceattr.models.base import FaceModel
from faceattr.models.mtfap import MTFAP
from faceattr.objectives import attribute_loss
from faceattr.recipes.mtfap import ETA, columns_of, new_mtfap, train_mtfap
from faceattr.recipes.siamese import kept_columns, train_siamese
from faceattr.recipes.steps import AUGMENTS, prevalence, run_step
from faceattr.report import Report
from faceattr.scored import Scored, first_seen
from faceattr.sparse import fit_groups
from faceattr.taskgraph import (
    edge_scores,
    edges,
    fit_tasks,
    learn_graph,
    learn_tasks_and_graph,
    strongest,
)
from faceattr.verification import attribute_scores, embed, fuse, pair_scores, verify

BATCH, RATE = 64, 3e-3
#: Gradient steps that are aimed at, and the fewest and most passes over the faces.
STEPS, FEWEST, MOST = 400, 8, 300
#: Maps of each of the independent networks: together they have as many weights as the shared one.
NARROW = {"widths": (3, 5, 10, 10, 15), "repeats": (1,) * 5, "pools": 3, "norm": True}
#: Resamples behind each interval: a thousand would take longer than the training.
BOOTSTRAP = 200
#: The true graph has an edge where the latent correlation exceeds this.
TRUE_EDGE = 0.3
#: Singular values below this share of the largest of all groups count as 0.
NO_RANK = 1e-3
#: Methods whose networks are kept, for verification.
KEPT = ("none", "groups", "graph-logdet")
GRAPHS = ("logdet", "logdegree", "frobenius", "mtrl")
#: Alpha of a log-det step that asks for more edges than with its own, 0.3.
DENSE = 3.0
#: Graphs that are read from every W: steps and their settings.
READ = {**{step: (step, {}) for step in GRAPHS}, "logdet, alpha 3": ("logdet", {"alpha": DENSE})}


def passes(faces: int) -> int:
    """How often a network sees its labelled faces."""
    return min(max(FEWEST, round(STEPS / math.ceil(faces / BATCH))), MOST)


def labelled(pool: FaceDataset, count: int, seed: int) -> FaceDataset:
    """The first ``count`` faces of a seed's order: those of a smaller budget are among them."""
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))
    return pool.subset(order[:count], source=f"{pool.source}: {count} labelled, seed {seed}")


def shuffled(groups: Mapping[str, tuple[str, ...]], seed: int) -> dict[str, list[str]]:
    """Groups of the same sizes, with other members."""
    names = [name for members in groups.values() for name in members]
    random.Random(seed).shuffle(names)
    rest = iter(names)
    return {group: [next(rest) for _ in members] for group, members in groups.items()}


def settings_of(method: str, seed: int) -> dict:
    """``groups``, ``shuffled``, ``graph-mtrl``, ``graph+xi=10``, ... as arguments."""
    method, *changes = method.split("+")
    kind, _, step = method.partition("-")
    how: dict = {"structure": "groups" if kind in ("shuffled", "probed") else kind}
    if kind == "graph":
        how["graph_step"] = step or "logdet"
    if kind == "probed":
        how |= {"columns": 1, "eta": ETA / 2}
    if kind == "shuffled":
        how["groups"] = shuffled(GROUPS, seed)
    for change in changes:
        name, value = change.split("=")
        place = how if name in ("gamma", "lam", "xi") else how.setdefault("graph_settings", {})
        place[name] = float(value)
    return how


def note(folder: Path, name: str, facts: Mapping) -> None:
    """Keep a job's numbers."""
    content = json.dumps(facts, allow_nan=False).encode()
    write_atomically(folder / "facts" / f"{name}.json", content)


def network(
    data: Experiment, folder: Path, name: str, method: str, count: int, seed: int, device: str,
    precision: str = "32-true",
) -> None:  # fmt: skip
    """Train one network on ``count`` labelled faces, end to end."""
    train = labelled(data.pool, count, seed)
    how = settings_of(method, seed)
    if method == "independent":
        how["model"] = new_mtfap(method, train.names, seed=seed, **NARROW).expect(prevalence(train))
    began = time.perf_counter()
    model, history = train_mtfap(
        train, **how, epochs=passes(count), batch_size=BATCH, lr=RATE, seed=seed, device=device,
        precision=precision, progress=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    if method in KEPT:
        save_checkpoint(folder / "models" / f"{name}.safetensors", model, attributes=train.names)
    facts = {"seconds": seconds, "passes": passes(count), "loss": history["loss"][-1]}
    facts["training_loss"] = history["attributes"][-1]
    record = {"seed": seed, "training_seconds": round(seconds)}
    record["training"] = about(data, count) | {"precision": precision}
    report = evaluate(model, data.test, device=device, bootstrap=BOOTSTRAP, record=record)
    note(folder, name, facts | structure_of(model, method))
    report.save(folder / f"{name}.json", predictions=True)


def about(data: Experiment, count: int) -> dict:
    """How networks are trained, for the record."""
    return {
        "data": data.pool.source, "faces": count, "batch_size": BATCH, "rate": RATE,
        "steps": STEPS, "threads": torch.get_num_threads(),
    }  # fmt: skip


def structure_of(model: FaceModel, method: str) -> dict:
    """Ranks, zeros, edges: what the structure of a trained network came to."""
    if not isinstance(model, MTFAP):
        return {}
    weights = model.weights.detach().cpu()
    facts: dict = {"graphs": graphs_of(weights)}
    facts["norms"] = weights.norm(dim=0).tolist()
    if model.config["groups"] is not None:
        tasks = model.tasks
        facts |= group_facts(
            model.config["groups"],
            [x.detach().float().cpu() for x in tasks.bases],
            [x.detach().float().cpu() for x in tasks.coefficients],
        )
    if method.startswith("graph"):
        how = settings_of(method, 0)
        learned = learn_graph(weights, how["graph_step"], **how.get("graph_settings", {}))
        facts["adjacency"] = learned.adjacency.tolist()
    return facts


def graphs_of(weights: Tensor) -> dict:
    """Facts of all graphs that are read from ``W (d, M)``."""
    return {
        name: graph_facts(learn_graph(weights, step, **settings).adjacency)
        for name, (step, settings) in READ.items()
    }


def group_facts(groups: list, bases: list[Tensor], coefficients: list[Tensor]) -> dict:
    """Of known groups: singular values of each ``L_g``, rank of each, zeros of each ``S_g``."""
    singular = [torch.linalg.svdvals(base) for base in bases]
    largest = float(max(values.max() for values in singular))
    return {
        "groups": [list(group) for group in groups],
        "singular": [values.tolist() for values in singular],
        "ranks": [int((values > NO_RANK * largest).sum()) for values in singular],
        "zeros": [float((some == 0).float().mean()) for some in coefficients],
        "zero_share": float(
            torch.cat([(some == 0).flatten() for some in coefficients]).float().mean()
        ),
        "coefficients": [some.tolist() for some in coefficients],
    }


def graph_facts(adjacency: Tensor) -> dict:
    """How well a graph of the 40 attributes agrees with the true one.

    Distances of weights can only tell attributes that come together, so that the true graph is
    taken twice: with the edges of positive correlation alone, and with all.
    """
    latent = torch.from_numpy(LabelModel.load().latent_correlation).float()
    off = ~torch.eye(len(latent), dtype=torch.bool)
    found = {}
    for name, truth in (("alike", latent > TRUE_EDGE), ("any", latent.abs() > TRUE_EDGE)):
        truth = truth & off
        count = int(truth.sum()) // 2
        found[name] = {
            "threshold": edge_scores(edges(adjacency), truth),  # the paper's 0.1
            "count": edge_scores(strongest(adjacency, count), truth),  # as many as there are
            "chance": count / (len(latent) * (len(latent) - 1) / 2),
        }
    return found


def labels_graph(data: Experiment, folder: Path, name: str, count: int, seed: int) -> None:
    """What the labels alone say: correlations of the attributes of ``count`` faces."""
    labels = labelled(data.pool, count, seed).attributes
    spread = labels.std(0).clamp(min=1e-9)
    centred = (labels - labels.mean(0)) / spread
    phi = centred.T @ centred / (len(labels) - 1)
    phi.fill_diagonal_(0)
    note(folder, name, {"graphs": {
        "correlation": graph_facts(phi.clamp(min=0)), "absolute": graph_facts(phi.abs()),
    }})  # fmt: skip


# --- fixed features -------------------------------------------------------------------------------


def trunk(
    data: Experiment, folder: Path, seed: int, device: str, precision: str = "32-true"
) -> Path:  # fmt: skip
    """Features for the heads: a network trained on other faces, its averaged maps standardised."""
    path = folder / "models" / "features.pt"
    if path.is_file():
        return path
    model = new_mtfap("none", data.other.names, seed=seed).expect(prevalence(data.other))
    run_step(
        model, data.other, attribute_loss, folder=None, resume=False,
        epochs=passes(len(data.other)), batch_size=BATCH, lr=RATE, schedule="one-cycle",
        average="ema", augment=AUGMENTS["light"], seed=seed, device=device, precision=precision,
        progress=False,
    )  # fmt: skip
    features = {}
    with torch.no_grad():
        for part in ("pool", "test"):
            batches = getattr(data, part).batches(256, device=model.mean.device)
            features[part] = torch.cat([model.maps(f.images).mean((-2, -1)).cpu() for f in batches])
    mean, spread = features["pool"].mean(0), features["pool"].std(0).clamp(min=1e-3)
    features = {part: (x - mean) / spread for part, x in features.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(features, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    return path


def heads(data: Experiment, folder: Path, name: str, method: str, count: int, seed: int) -> None:
    """Learn the tasks' weights alone, on features of a trunk that other faces taught."""
    features = torch.load(folder / "models" / "features.pt", weights_only=True)
    order = torch.randperm(len(data.pool), generator=torch.Generator().manual_seed(seed))[:count]
    x, y = features["pool"][order], data.pool.attributes[order]
    began = time.perf_counter()
    how = settings_of(method.replace("-algorithms", ""), seed)
    xi = how.get("xi", 0.75)
    structure, facts = how["structure"], {}
    if structure == "graph":
        settings = how.get("graph_settings", {})
        found = learn_tasks_and_graph(x, y, xi=xi, step=how["graph_step"], **settings)
        facts["adjacency"] = found.graph.adjacency.tolist()
    else:
        found = fit_tasks(x, y, xi=1e-3 if structure == "none" else xi)
    if structure == "groups":
        groups = columns_of(how.get("groups", GROUPS), data.pool.names)
        solver = "algorithms" if "-algorithms" in method else "proximal"
        terms = {key: how[key] for key in ("gamma", "lam") if key in how}
        found = fit_groups(x, y, groups, found.weights, found.bias, solver=solver, **terms)
        facts["objective"], facts["solver_seconds"] = found.objective, found.seconds
        facts |= group_facts(found.groups, found.bases, found.coefficients)
    facts["seconds"] = time.perf_counter() - began
    facts["graphs"] = graphs_of(found.weights)
    test = data.test
    identity = test.faces.identity
    logits = found.logits(features["test"])
    scored = Scored(
        tuple(test.names), logits[None], test.attributes.to(torch.int8), first_seen(identity)
    )
    record = {
        "data": test.source, "seed": seed, "training_seconds": round(facts["seconds"]),
        "parameters": found.weights.numel() + found.bias.numel(), "training": about(data, count),
    }  # fmt: skip
    report = Report.of(scored, bootstrap=BOOTSTRAP, record=record)
    note(folder, name, facts)
    report.save(folder / f"{name}.json", predictions=True)


# --- verification ---------------------------------------------------------------------------------


def siamese(
    data: Experiment, folder: Path, name: str, seed: int, device: str, precision: str = "32-true"
) -> None:
    """An embedding of people, learned with attributes or without."""
    began = time.perf_counter()
    how = {"attributes": 0.0} if name == "siamese-identity" else {}
    model, history = train_siamese(
        data.people, epochs=passes(len(data.people)), batch_size=2 * BATCH, lr=RATE, seed=seed,
        device=device, precision=precision, progress=False, **how,
    )  # fmt: skip
    save_checkpoint(folder / "models" / f"{name}.safetensors", model, attributes=data.people.names)
    note(folder, name, {"seconds": time.perf_counter() - began, "loss": history["loss"][-1]})


def verification(
    data: Experiment, folder: Path, name: str, predictors: list[str], device: str
) -> None:
    """Every embedding, every predictor of attributes, and both together, on strangers' pairs."""
    pairs, kept = data.pairs, kept_columns(data.pool.names)
    embeddings, chances = {}, {}
    for embedding in ("siamese-identity", "siamese"):
        model, _ = load_checkpoint(folder / "models" / f"{embedding}.safetensors")
        embeddings[embedding], said = embed(model, data.strangers, device=device)
        if embedding == "siamese":
            chances["siamese"] = said
    for predictor in predictors:
        model, _ = load_checkpoint(folder / "models" / f"{predictor}.safetensors")
        _, chances[predictor] = embed(model, data.strangers, device=device)
    truth = data.strangers.attributes
    if truth is not None and not (truth == UNKNOWN).any():
        chances["truth"] = truth
    scores = {e: pair_scores(places, pairs) for e, places in embeddings.items()}
    alone = {}
    for predictor, said in chances.items():
        alone[f"{predictor} all"] = attribute_scores(said, pairs)
        alone[f"{predictor} kept"] = attribute_scores(said, pairs, kept)
    rows = {s: verify(x, pairs).to_dict(curve=60) for s, x in {**scores, **alone}.items()}
    for embedding, first in scores.items():
        for predictor, second in alone.items():
            mixed, weights = fuse(first, second, pairs)
            row = verify(mixed, pairs).to_dict(curve=60)
            rows[f"{embedding} + {predictor}"] = row | {"weights": weights}
    facts = {"pairs": data.strangers.source, "kept": [data.pool.names[j] for j in kept]}
    note(folder, name, {**facts, "rows": rows})
