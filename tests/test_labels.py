from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.metrics import matthews_corrcoef

from faceattr.attributes import ATTRIBUTES, index, indices
from faceattr.data import fit_labels
from faceattr.data.label_statistics import FILES, celeba_facts, measure, read_label_files
from faceattr.data.labels import (
    BEARD_WORDS,
    HAIR_COLOURS,
    TABLE,
    LabelModel,
    contradictions,
    decide,
)
from faceattr.errors import DataError


@pytest.fixture(scope="module")
def model():
    return LabelModel.load()


@pytest.fixture(scope="module")
def drawn(model):
    return model.sample(10_000, 20, seed=11)


@pytest.fixture
def label_files(tmp_path, model):
    """CelebA's layout with 300 sampled faces of 60 people."""
    faces, people = model.sample(60, 5, seed=3)
    names = [f"{i:06d}.jpg" for i in range(1, len(faces) + 1)]
    rows = [
        f"{n} " + " ".join(f"{int(v):2d}" for v in 2 * row - 1)
        for n, row in zip(names, faces, strict=True)
    ]
    head = [str(len(faces)), " ".join(ATTRIBUTES) + " "]
    (tmp_path / FILES[0]).write_text("\n".join(head + rows) + "\n")
    (tmp_path / FILES[1]).write_text(
        "".join(f"{n} {p + 1}\n" for n, p in zip(names, people, strict=True))
    )
    (tmp_path / FILES[2]).write_text("".join(f"{n} {i // 100}\n" for i, n in enumerate(names)))
    return tmp_path


# What is measured, against other people's code


def test_phi_is_matthews_correlation(drawn):
    faces, people = drawn[0][:4000], drawn[1][:4000]
    phi = measure(faces, people).correlation
    for a, b in ((20, 36), (31, 21), (2, 39)):
        assert phi[a, b] == pytest.approx(matthews_corrcoef(faces[:, a], faces[:, b]), abs=1e-9)


def test_agreement_is_the_correlation_over_all_pairs_of_pictures():
    rng = np.random.default_rng(0)
    people = rng.integers(0, 25, 120)  # uneven, unsorted, some with one picture
    faces = (rng.random((120, 3)) < rng.random((25, 3))[people]).astype(int)
    pairs = [(i, j) for i, j in itertools.permutations(range(120), 2) if people[i] == people[j]]
    first, second = np.array(pairs).T
    across = measure(faces, people).across
    for a, b in itertools.product(range(3), repeat=2):
        expected = np.corrcoef(faces[first, a], faces[second, b])[0, 1]
        assert across[a, b] == pytest.approx(expected, abs=1e-9)


def test_one_picture_per_person_has_no_agreement(model):
    faces, people = model.sample(50, 1, seed=0)
    assert np.isnan(measure(faces, people).agreement).all()


# The shipped table


@pytest.mark.parametrize("seed", [11, 12])
def test_samples_are_as_celeba(model, drawn, seed):
    faces, people = drawn if seed == 11 else model.sample(10_000, 20, seed=seed)
    gaps = measure(faces, people).gaps(model)
    for name, largest in fit_labels.TOLERANCES.items():
        assert gaps[name] <= largest, (name, gaps)


def test_no_sampled_face_contradicts_itself(drawn):
    assert set(contradictions(drawn[0]).values()) == {0}


def test_one_hair_colour_at_most_and_beards_that_no_word_names(drawn):
    faces = drawn[0] > 0
    assert faces[:, indices(HAIR_COLOURS)].sum(axis=1).max() == 1
    words = faces[:, indices((*BEARD_WORDS, "5_o_Clock_Shadow"))].any(axis=1)
    assert 0.01 < (~words & ~faces[:, index("No_Beard")]).mean() < 0.03


def test_contradictions_are_counted():
    faces = np.zeros((3, len(ATTRIBUTES)))
    faces[0, indices(["Bald", "Bangs"])] = 1
    faces[1, indices(["Goatee", "No_Beard"])] = 1
    faces[2, indices(["Bald", "Gray_Hair", "Receding_Hairline", "No_Beard"])] = 1
    broken = {rule: count for rule, count in contradictions(faces).items() if count}
    assert broken == {"Bald and Bangs": 1, "Goatee and No Beard": 1}
    assert contradictions(faces[0])["Bald and Bangs"] == 1


def test_any_margins_give_faces_without_contradictions(model):
    margin = np.random.default_rng(0).normal(1.0, 1.0, (20_000, len(ATTRIBUTES)))
    worn = decide(margin, model.attractive_weight)
    assert sum(contradictions(worn).values()) == 0
    # a face that had a hair colour before its rivals were settled has one still, if not bald
    hair = indices(HAIR_COLOURS)
    bald = margin[:, index("Bald")] > 0
    assert (worn[:, hair].any(axis=1) == (margin[:, hair] > 0).any(axis=1))[~bald].all()


def test_attractive_follows_its_weights(model):
    rng = np.random.default_rng(0)
    margin, j = rng.normal(0, 1, (5_000, len(ATTRIBUTES))), index("Attractive")
    for name in ("Young", "Blurry"):
        younger, other = margin.copy(), margin.copy()
        younger[:, index(name)], other[:, index(name)] = 1, -1
        change = decide(younger, model.attractive_weight)[:, j].astype(int)
        change -= decide(other, model.attractive_weight)[:, j]
        assert set(change * np.sign(model.attractive_weight[index(name)])) == {0, 1}


def test_joint_shares_are_those_of_the_bivariate_normal(model, drawn):
    faces, a, b = drawn[0], index("Smiling"), index("Mouth_Slightly_Open")
    upper = -model.threshold[[a, b]]
    rho = model.total[a, b]
    expected = multivariate_normal.cdf(upper, cov=[[1, rho], [rho, 1]])
    assert (faces[:, a] * faces[:, b]).mean() == pytest.approx(expected, abs=0.01)
    assert faces[:, a].mean() == pytest.approx(norm.cdf(upper[0]), abs=0.01)
    pictures = faces.reshape(10_000, 20, -1)[:, :, a]
    rho = model.person[a, a]
    both = multivariate_normal.cdf(upper[[0, 0]], cov=[[1, rho], [rho, 1]])
    assert (pictures[:, 0] * pictures[:, 1]).mean() == pytest.approx(both, abs=0.02)


def test_same_seed_same_faces(model):
    faces, people = model.sample(40, 5, seed=7)
    again, _ = model.sample(40, 5, seed=7)
    more, _ = model.sample(60, 5, seed=7)
    assert faces.shape == (200, len(ATTRIBUTES))
    assert faces.dtype == np.float32
    assert people.dtype == np.int64
    assert (people == np.repeat(np.arange(40), 5)).all()
    assert set(np.unique(faces)) == {0.0, 1.0}
    assert (faces == again).all()
    assert (faces == more[:200]).all()
    assert (faces != model.sample(40, 5, seed=8)[0]).any()


def test_person_strength_moves_agreement_and_nothing_else(model):
    mean_agreement = []
    for strength in (0.0, 0.5, 1.0, 1.5, 2.0):
        drawn = measure(*model.sample(15_000, 4, seed=5, person_strength=strength))
        gaps = drawn.gaps(model)
        assert gaps["prevalence max"] < 0.02
        assert gaps["phi mean"] < 0.015
        mean_agreement.append(drawn.agreement.mean())
        if strength == 0:
            assert np.abs(drawn.agreement).max() < 0.02
        if strength == 2:
            assert drawn.agreement.min() == pytest.approx(1)
    assert mean_agreement == sorted(mean_agreement)
    assert mean_agreement[2] - mean_agreement[1] > 0.1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((0, 5, 0), "0 people"),
        ((5, 0, 0), "0 faces"),
        ((5, 5, -1), "seed -1"),
        ((5, 5, 0, 2.5), "person_strength is 2.5"),
        ((5, 5, 0, -0.1), "person_strength is -0.1"),
    ],
)
def test_impossible_samples_are_refused(model, arguments, named):
    with pytest.raises(DataError, match=named):
        model.sample(*arguments)


def test_graph_is_that_of_the_latents(model):
    few, many = model.graph(0.6), model.graph(0.3)
    assert (few == few.T).all()
    assert not few.diagonal().any()
    assert (few <= many).all()
    assert few.sum() < many.sum()
    assert few[index("Heavy_Makeup"), index("Wearing_Lipstick")]
    assert many[index("Attractive"), index("Young")]
    assert not many[index("Narrow_Eyes"), index("Wearing_Necktie")]


# The table as a file


def test_table_is_small_and_tells_its_origin(model):
    assert TABLE.stat().st_size < 60_000
    assert set(model.provenance["sha256"]) == set(FILES)
    assert model.facts["faces"] == 202_599
    assert [model.facts["splits"][s]["faces"] for s in ("train", "valid", "test")] == [
        162_770,
        19_867,
        19_962,
    ]
    assert sum(model.facts["images_per_person"]["people_with"].values()) == model.facts["people"]


def _without(name):
    def change(text):
        table = json.loads(text)
        del table["model"][name]
        return json.dumps(table)

    return change


def _short(text):
    table = json.loads(text)
    table["model"]["person"].pop()
    return json.dumps(table)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "is torn"),
        (_without("person"), "lacks 'person'"),
        (_short, "person has shape"),
        (lambda text: text.replace("Bangs", "Fringe"), "attribute names"),
    ],
)
def test_a_torn_table_is_an_error_that_names_it(tmp_path, change, said):
    path = tmp_path / "table.json"
    path.write_text(change(TABLE.read_text()))
    with pytest.raises(DataError, match=said) as caught:
        LabelModel.load(path)
    assert str(path) in str(caught.value)
    assert "fit_labels" in str(caught.value)


def test_a_missing_table_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.json"):
        LabelModel.load(tmp_path / "nowhere.json")


# Fitting


def test_fit_writes_a_table_from_label_files(label_files, tmp_path, capsys):
    out = tmp_path / "fitted.json"
    fitted = fit_labels.write_table(label_files, out, rounds=7, people=400, pictures=4)
    assert not list(tmp_path.glob("*.part"))
    truth = measure(*read_label_files(label_files)[:2])
    assert np.abs(fitted.prevalence - truth.prevalence).max() < 1e-4
    assert np.linalg.eigvalsh(fitted.person).min() > -1e-3
    assert np.linalg.eigvalsh(fitted.total - fitted.person).min() > -1e-3
    assert fit_labels.main(["--check", "--root", str(label_files), "--out", str(out)]) in (0, 1)
    assert "the table equals what the files say" in capsys.readouterr().out
    assert fit_labels.main(["--check", "--root", str(label_files)]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_fit_recovers_the_statistics_it_is_given(model):
    target = measure(*model.sample(4_000, 10, seed=1))
    found = fit_labels.fit(target, rounds=16, people=2_000, pictures=10)
    fitted = LabelModel(
        target.prevalence,
        target.correlation,
        target.agreement,
        **found,
        facts={},
        provenance={},
    )
    gaps = measure(*fitted.sample(5_000, 10, seed=2)).gaps(target)
    assert gaps["prevalence max"] < 0.03
    assert gaps["phi mean"] < 0.015
    assert gaps["agreement max"] < 0.1


@pytest.mark.parametrize("name", FILES)
def test_a_torn_label_file_is_an_error_with_file_and_line(label_files, name, capsys):
    path = label_files / name
    text = path.read_text()
    lines = text.splitlines()
    path.write_text("\n".join(lines[:150]) + "\n")  # cut after line 150
    with pytest.raises(DataError, match="line 150") as caught:
        read_label_files(label_files)
    assert name in str(caught.value)
    path.write_text(text.replace(lines[100], lines[100][:-1] + "x"))  # line 101 damaged
    with pytest.raises(DataError, match="line 101") as caught:
        read_label_files(label_files)
    assert name in str(caught.value)
    path.unlink()
    with pytest.raises(DataError, match=name):
        read_label_files(label_files)
    with pytest.raises(SystemExit) as stopped:
        fit_labels.main(["--root", str(label_files), "--check"])
    assert stopped.value.code == 2
    assert name in capsys.readouterr().err


def test_other_attribute_names_are_refused(label_files):
    path = label_files / FILES[0]
    path.write_text(path.read_text().replace("Bangs", "Fringe"))
    with pytest.raises(DataError, match="line 2"):
        read_label_files(label_files)


def test_a_folder_that_is_not_there_is_named_before_the_fit(label_files, tmp_path):
    with pytest.raises(DataError, match="make the folder"):
        fit_labels.write_table(label_files, tmp_path / "no" / "table.json")


# The real files

CELEBA = os.environ.get("FACEATTR_CELEBA")
needs_celeba = pytest.mark.skipif(
    not CELEBA, reason="set FACEATTR_CELEBA to the folder of CelebA's label files"
)


@needs_celeba
def test_table_equals_celebas_files(model):
    facts = celeba_facts(*read_label_files(CELEBA))
    for name in ("prevalence", "agreement", "correlation"):
        np.testing.assert_allclose(getattr(model, name), facts[name], atol=1.5e-4)
    for name, value in model.facts.items():
        assert facts[name] == value


@needs_celeba
def test_celebas_own_label_file_cut_in_the_middle(tmp_path):
    for name in FILES:
        shutil.copy(Path(CELEBA) / name, tmp_path / name)
    with (tmp_path / FILES[0]).open("r+b") as file:
        file.truncate(10_000_000)
    with pytest.raises(DataError, match=r"list_attr_celeba\.txt, line \d+"):
        read_label_files(tmp_path)
