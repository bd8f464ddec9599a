"""Who it is: FR-ANet's loss, people recognised, pictures held out, agreement within a person."""

import numpy as np
import pytest
import torch
from crowd import TINY, crowd
from torch.nn.functional import binary_cross_entropy_with_logits

from faceattr.data.faces import UNKNOWN, FaceDataset, Faces
from faceattr.data.label_statistics import measure
from faceattr.data.within import held_out
from faceattr.errors import DataError, TrainingError
from faceattr.identity import WithinPerson, bootstrap_people, identity_accuracy, recognised
from faceattr.models import Majority
from faceattr.models.franet import FRANet
from faceattr.models.idnet import IDNet
from faceattr.objectives import attribute_loss
from faceattr.objectives.identity import (
    IdentityGuided,
    check_lambda,
    identity_loss,
    identity_targets,
    recognition_loss,
)

PLACES = {"Rest": {"AroundHead": [0, 1]}, "Gender": {"Gender": [2]}}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def network(data, identity="merged"):
    """A tiny network that has met the people of the data."""
    who = data.faces.identity
    count = len(who[who >= 0].unique())
    model = FRANet(count, num_attributes=3, branches=PLACES, identity=identity, **TINY)
    if model.people is not None:
        model.people.meet(who)
    return model


def gradients(model):
    return {n: p.grad for n, p in model.named_parameters()}


# --- the loss -------------------------------------------------------------------------------------


def test_identity_loss_is_scikit_learns_log_loss():
    log_loss = pytest.importorskip("sklearn.metrics").log_loss
    logits, targets = 3 * torch.randn(9, 4).double(), torch.tensor([0, 1, 2, 3, 3, 2, 0, 0, 1])
    theirs = log_loss(targets, logits.softmax(1), labels=range(4))
    assert float(identity_loss(logits, targets)) == pytest.approx(theirs, rel=1e-6)
    targets[::2] = -1
    known = targets >= 0
    theirs = log_loss(targets[known], logits[known].softmax(1), labels=range(4))
    assert float(identity_loss(logits, targets)) == pytest.approx(theirs, rel=1e-6)


def test_a_batch_of_strangers_has_no_identity_loss():
    logits = torch.randn(3, 4, requires_grad=True)
    loss = identity_loss(logits, torch.full((3,), -1))
    assert loss == 0
    loss.backward()
    assert torch.equal(logits.grad, torch.zeros(3, 4))


def test_half_precision_logits_do_not_overflow():
    logits = torch.tensor([[6e4, -6e4, 0.0]]).half()
    assert identity_loss(logits, torch.tensor([1])) == pytest.approx(1.2e5, rel=1e-2)
    assert identity_loss(logits, torch.tensor([0])) == 0


@pytest.mark.parametrize("lambda_id", [0, 0.5, 1, 10.0])
def test_lambdas_unit(lambda_id):
    """What is minimised is the paper's (sum_i loss_i + lambda L_ID), divided by M."""
    data = crowd(12)
    model, batch = network(data), data.gather(range(12))
    outputs = model(batch.images)
    each = binary_cross_entropy_with_logits(outputs.logits, batch.attributes, reduction="none")
    per_attribute = each.mean(0)  # (M,), loss_i
    position = (batch.identity - 100) // 7
    person = -outputs.identity_logits.log_softmax(1)[range(12), position].mean()  # L_ID
    expected = (sum(per_attribute) + lambda_id * person) / 3
    losses = IdentityGuided(lambda_id)(model, batch)
    assert set(losses) == {"attributes", "identity"}
    torch.testing.assert_close(sum(losses.values()), expected)
    torch.testing.assert_close(losses["attributes"], attribute_loss(model, batch)["attributes"])


def test_lambda_zero_leaves_the_attributes_alone():
    data = crowd(12)
    batch = data.gather(range(12))
    model = network(data)
    sum(IdentityGuided(0)(model, batch).values()).backward()
    guided = gradients(model)
    model.zero_grad()
    attribute_loss(model, batch)["attributes"].backward()
    for name, grad in gradients(model).items():
        if name.startswith("people."):
            assert grad is None
            assert torch.equal(guided[name], torch.zeros_like(guided[name]))
        else:
            torch.testing.assert_close(guided[name], grad)


def test_what_lambda_does_to_the_gradient():
    data = crowd(12)
    batch, model = data.gather(range(12)), network(data)
    found = []
    for lambda_id in (0, 1, 3):
        model.zero_grad()
        sum(IdentityGuided(lambda_id)(model, batch).values()).backward()
        found.append({name: grad.clone() for name, grad in gradients(model).items()})
    none, one, three = found
    for name in none:
        torch.testing.assert_close(
            three[name] - none[name], 3 * (one[name] - none[name]), atol=1e-6, rtol=1e-4
        )
        if name.endswith("weight"):
            moved = bool((one[name] - none[name]).abs().max() > 1e-7)
            assert moved is not name.startswith("groups."), name


def test_what_the_identity_loss_reaches():
    """ConvAttr in FR-ANet, only what comes before it in FR+ANet; MCNN has no such loss."""
    data = crowd(12)
    batch = data.gather(range(12))
    for identity, reached in (("merged", True), ("separate", False)):
        model = network(data, identity)
        IdentityGuided(1.0)(model, batch)["identity"].backward()
        grad = model.conv_attr[0].weight.grad
        assert (grad is not None and bool((grad != 0).any())) is reached
        assert (model.shared[0].weight.grad != 0).any()
        assert (model.people.scores.weight.grad != 0).any()
        assert model.groups["Gender"]["Gender"][1].weight.grad is None
    with pytest.raises(DataError, match="FRANet has no identity branch: train it with attribute"):
        IdentityGuided(1.0)(network(data, "none"), batch)


@pytest.mark.parametrize("objective", [IdentityGuided(1.0), recognition_loss])
def test_faces_of_nobody_known_contribute_nothing(objective):
    data = crowd(12)
    model = network(data).eval()
    batch = data.gather(range(12))
    strange = data.gather(range(12))
    strange.identity[6:] = torch.tensor([-1, -1, -5, 99, 10**12, 1])
    loss = objective(model, strange)["identity"]
    torch.testing.assert_close(loss, objective(model, batch[:6])["identity"])
    model(batch.images)
    loss.backward()
    mixed = gradients(model)
    model.zero_grad()
    objective(model, batch[:6])["identity"].backward()
    for name, grad in gradients(model).items():
        torch.testing.assert_close(mixed[name], grad, msg=name)
    strange.identity[:] = -1
    model.zero_grad()
    loss = objective(model, strange)["identity"]
    assert loss == 0
    loss.backward()
    assert all(not g.any() for g in gradients(model).values() if g is not None)


def test_unknown_labels_and_unknown_people_together():
    data = crowd(12)
    data.faces.attributes[:] = UNKNOWN
    batch, model = data.gather(range(12)), network(data)
    losses = IdentityGuided(1.0)(model, batch)
    assert losses["attributes"] == 0
    assert losses["identity"] > 0
    batch.identity[:] = -1
    sum(IdentityGuided(1.0)(model, batch).values()).backward()
    assert all(not p.grad.any() for p in model.parameters())


def test_identities_that_are_not_there():
    data = crowd(12)
    model = network(data)
    without = Faces(images=data.gather(range(4)).images, attributes=data.attributes[:4])
    for objective in (IdentityGuided(1.0), recognition_loss):
        with pytest.raises(DataError, match="do not say who they are: add their identities.*mcnn"):
            objective(model, without)
    with pytest.raises(DataError, match="Majority has no identity branch"):
        identity_targets(Majority(3), without)
    unlabelled = data.gather(range(4))
    unlabelled.attributes = None
    with pytest.raises(DataError, match="no attribute labels"):
        IdentityGuided(1.0)(model, unlabelled)
    assert recognition_loss(model, unlabelled)["identity"] > 0  # labels are not what ID Net reads


def test_lambdas_that_are_no_weight():
    for wrong in (-1, -1e-9, float("nan"), float("inf"), "1", None, [1.0], 1j):
        with pytest.raises(TrainingError, match="lambda_id=.*finite number of at least 0"):
            IdentityGuided(wrong)
    for right in (0, 1, 0.3, np.float32(0.5), np.int64(3)):
        assert check_lambda(right) == right
        assert type(check_lambda(right)) is float


def test_identity_numbers_of_32_bits_and_of_a_trillion():
    data = crowd(12)
    model, batch = network(data).eval(), data.gather(range(12))
    loss = IdentityGuided(1.0)(model, batch)["identity"]
    batch.identity = batch.identity.to(torch.int32)
    assert torch.equal(IdentityGuided(1.0)(model, batch)["identity"], loss)
    far = crowd(12, first=10**12)
    again = network(far).eval()
    again.load_state_dict({**model.state_dict(), "people.known": again.people.known})
    assert torch.equal(IdentityGuided(1.0)(again, far.gather(range(12)))["identity"], loss)


# --- recognised -----------------------------------------------------------------------------------


class Reader(FRANet):
    """Answers whom the red of the first pixel says."""

    def forward(self, images):
        outputs = super().forward(images)
        place = (images[:, 0, 0, 0] * 255).round().long()
        outputs.identity_logits = torch.nn.functional.one_hot(place, self.people.people).float()
        return outputs


def test_recognised():
    data = crowd(20, people=5)
    model = Reader(5, num_attributes=3, branches=PLACES, **TINY).train()
    model.people.meet(data.faces.identity)
    place = (data.faces.identity - 100) // 7
    place[3] = (place[3] + 1) % 5  # taken for somebody else
    data.faces.images[:, 0, 0, 0] = place.to(torch.uint8)
    data.faces.identity[[0, 1]] = torch.tensor([-1, 55])  # unknown, and without a logit
    expected = torch.ones(20, dtype=torch.int8)
    expected[[0, 1, 3]] = torch.tensor([-1, -1, 0], dtype=torch.int8)
    for batch_size in (3, 256):
        found = recognised(model, data, batch_size=batch_size)
        assert found.dtype == torch.int8
        assert torch.equal(found, expected)
    assert model.training  # as it was
    assert identity_accuracy(model, data) == pytest.approx(17 / 18)
    assert identity_accuracy(model, data.subset([0, 1])) is None
    assert recognised(model, data.subset([])).shape == (0,)
    assert identity_accuracy(model, data.subset([])) is None
    data.faces.identity = data.faces.identity.to(torch.int32)
    assert torch.equal(recognised(model, data), expected)
    assert identity_accuracy(model, data) == pytest.approx(17 / 18)


def test_nobody_to_recognise():
    data = crowd(12)
    nobody = FaceDataset(Faces(images=data.faces.images), names=data.names, source="nobody")
    model = network(data)
    with pytest.raises(DataError, match="nobody does not say who is who"):
        recognised(model, nobody)
    assert identity_accuracy(model, nobody) is None
    for blind in (network(data, "none"), Majority(3)):
        with pytest.raises(DataError, match="without an identity branch recognises nobody"):
            recognised(blind, data)
        assert identity_accuracy(blind, data) is None
    assert 0 <= identity_accuracy(IDNet.small(6, num_attributes=3), crowd(12, first=0)) <= 1


# --- pictures held out ----------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_some_pictures_of_everybody_and_never_all(share):
    rng = np.random.default_rng(0)
    counts = np.arange(1, 30)
    who = torch.from_numpy(rng.permutation(np.repeat(1000 + counts, counts)))
    chosen = held_out(who, share)
    assert chosen.dtype == torch.bool
    assert chosen.shape == who.shape
    for count in counts:
        taken = int(chosen[who == 1000 + count].sum())
        if count == 1:
            assert taken == 0
        else:
            assert 1 <= taken <= count - 1
            assert taken in (1, count - 1) or abs(taken - share * count) <= 0.5


def test_who_else_is_there_changes_nothing():
    who = torch.tensor([7, 5, 7, 5, 7, 5, 5, 7, 10**12, 10**12, -1, -1])
    chosen = held_out(who, 0.5)
    assert torch.equal(chosen[who == 7], held_out(who[who == 7], 0.5))
    assert torch.equal(held_out(who.int() % 100, 0.5)[:8], chosen[:8])
    assert not chosen[who < 0].any()
    assert torch.equal(held_out(who, 0.5), chosen)
    many = torch.arange(40).repeat_interleave(10)
    assert not torch.equal(held_out(many, seed=1), held_out(many))
    assert held_out(many, seed=1).sum() == held_out(many).sum() == 80
    assert not held_out(torch.full((4,), -1)).any()
    assert held_out(torch.empty(0, dtype=torch.int64)).shape == (0,)


def test_pictures_that_cannot_be_held_out():
    who = torch.tensor([1, 1, 2, 2])
    for share in (0, 1, -0.1, 2, float("nan")):
        with pytest.raises(DataError, match="share of the pictures between 0 and 1"):
            held_out(who, share)
    with pytest.raises(DataError, match="do not say who they are"):
        held_out(None)
    with pytest.raises(DataError, match="seed=-1"):
        held_out(who, seed=-1)


# --- agreement within a person --------------------------------------------------------------------


def drawn(people=30, columns=4, seed=0, share=0.6, runs=None):
    """Scores that persons share in part, of people with one to six pictures."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(people) * 11, rng.integers(1, 7, people)))
    mean = rng.normal(size=(people, columns))[who // 11]
    shape = (len(who), columns) if runs is None else (runs, len(who), columns)
    return np.sqrt(share) * mean + np.sqrt(1 - share) * rng.normal(size=shape), who


def pairs_of(who):
    """Ordered pairs of different pictures of one person."""
    first, second = np.nonzero((who[:, None] == who) & ~np.eye(len(who), dtype=bool))
    return first, second


def by_pairs(x, who):
    first, second = pairs_of(who)
    return np.array([np.corrcoef(x[first, j], x[second, j])[0, 1] for j in range(x.shape[1])])


def test_agreement_of_labels_is_that_of_the_label_statistics():
    x, who = drawn()
    labels = (x > 0.4).astype(float)
    theirs = measure(labels, who).agreement
    np.testing.assert_allclose(WithinPerson(labels, who).agreement(), theirs, atol=1e-12)
    one = WithinPerson(torch.from_numpy(labels).bool(), torch.from_numpy(who))
    np.testing.assert_allclose(one.agreement(), theirs, atol=1e-12)


def test_agreement_of_scores_is_the_correlation_over_pairs():
    x, who = drawn()
    part = WithinPerson(x, who)
    np.testing.assert_allclose(part.agreement(), by_pairs(x, who), atol=1e-10)
    np.testing.assert_allclose(WithinPerson(5 * x - 40, who).agreement(), part.agreement())
    counts = np.unique(who, return_counts=True)[1]
    assert part.people == (counts > 1).sum() == len(part.who)
    scores = torch.tensor(x, dtype=torch.float32, requires_grad=True)
    np.testing.assert_allclose(WithinPerson(scores, who).agreement(), part.agreement(), rtol=1e-4)
    half = torch.tensor(x).bfloat16()
    np.testing.assert_allclose(WithinPerson(half, who).agreement(), part.agreement(), atol=0.02)


def test_alike_is_the_share_of_equal_pairs():
    x, who = drawn()
    answers = x > 0
    first, second = pairs_of(who)
    by_hand = (answers[first] == answers[second]).mean(0)
    np.testing.assert_allclose(WithinPerson(answers, who).alike(), by_hand, atol=1e-12)
    with pytest.raises(DataError, match="give scores > 0 instead of scores"):
        WithinPerson(x, who).alike()


def test_people_who_count_more_than_once():
    x, who = drawn(12)
    part = WithinPerson(x, who)
    times = np.random.default_rng(1).integers(0, 3, part.people)
    rows, names = [], []
    for person, count in zip(part.who, times, strict=True):
        for copy in range(count):
            rows += np.flatnonzero(who == person).tolist()
            names += [1000 * copy + person] * (who == person).sum()
    again = WithinPerson(x[rows], np.array(names))
    np.testing.assert_allclose(part.agreement(times), again.agreement(), atol=1e-10)
    answers, again = WithinPerson(x > 0, who), WithinPerson(x[rows] > 0, np.array(names))
    np.testing.assert_allclose(answers.alike(times), again.alike(), atol=1e-12)


def test_several_runs_give_their_mean():
    x, who = drawn(runs=3)
    part = WithinPerson(x, who)
    each = np.stack([WithinPerson(run, who).agreement() for run in x])
    np.testing.assert_allclose(part.agreement(), each.mean(0))
    np.testing.assert_allclose(part.agreement(runs=[2, 0, 2]), each[[2, 0, 2]].mean(0))
    answers = np.stack([WithinPerson(run > 0, who).alike() for run in x])
    np.testing.assert_allclose(WithinPerson(x > 0, who).alike(runs=[1]), answers[1])


def test_what_never_varies_has_no_agreement():
    who = np.array([1, 1, 2, 2, 3])
    x = np.c_[np.ones(5), np.full(5, 0.1), [0, 0, 0, 0, 1], [0, 0, 1, 1, 0], [0, 1, 0, 1, 0]]
    part = WithinPerson(x, who)
    np.testing.assert_array_equal(part.agreement(), [np.nan, np.nan, np.nan, 1, -1])
    np.testing.assert_array_equal(WithinPerson(x > 0.5, who).alike(), [1, 1, 1, 1, 0])


def test_values_that_say_nothing():
    who = np.array([1, 1, 2, 2])
    for values, names in (
        (np.zeros((4, 2)), who[:3]), (np.zeros(4), who), (np.zeros((4, 2)), np.array([1, 1, -1, 2]))
    ):  # fmt: skip
        with pytest.raises(DataError, match=r"give \(N, M\) or \(S, N, M\) and \(N,\)"):
            WithinPerson(values, names)
    with pytest.raises(DataError, match="nobody has two pictures"):
        WithinPerson(np.zeros((4, 2)), np.arange(4))
    with pytest.raises(DataError, match="nobody has two pictures"):
        WithinPerson(np.zeros((0, 2)), np.arange(0))
    with pytest.raises(DataError, match="not finite"):
        WithinPerson(np.full((4, 2), np.nan), who)


# --- intervals ------------------------------------------------------------------------------------


def difference(method):
    def statistic(draw):
        one, other = draw("one", method), draw("other", method)
        return {"one": one.mean(), "other": other.mean(), "difference": (one - other).mean()}

    return statistic


@pytest.mark.parametrize("method", ["agreement", "alike"])
def test_a_network_differs_from_itself_by_nothing(method):
    x, who = drawn(runs=3)
    part = WithinPerson(x > 0, who)
    found = bootstrap_people({"one": part, "other": part}, difference(method), resamples=50)
    gap = found["difference"]
    assert (float(gap), gap.low, gap.high) == (0, 0, 0)
    one, other = found["one"], found["other"]
    assert (float(one), one.low, one.high) == (float(other), other.low, other.high)
    assert one.low < one < one.high
    assert float(one) == pytest.approx(getattr(part, method)().mean())


def test_resamples_follow_the_seed():
    x, who = drawn(runs=2)
    parts = {"one": WithinPerson(x, who), "other": WithinPerson(x**3, who)}
    how = {"statistic": difference("agreement"), "resamples": 40}
    first, again = (bootstrap_people(parts, seed=1, **how)["difference"] for _ in range(2))
    assert (first.low, first.high) == (again.low, again.high)
    other = bootstrap_people(parts, seed=2, **how)["difference"]
    assert (first.low, first.high) != (other.low, other.high)
    assert float(first) == float(other)
    narrow = bootstrap_people(parts, seed=1, level=0.5, **how)["difference"]
    assert narrow.high - narrow.low < first.high - first.low
    none = bootstrap_people(parts, difference("agreement"), resamples=0)["difference"]
    assert np.isnan([none.low, none.high]).all()


def test_more_runs_and_fewer_runs_side_by_side():
    x, who = drawn(runs=3)
    parts = {"one": WithinPerson(x, who), "other": WithinPerson(x[0], who)}
    found = bootstrap_people(parts, difference("agreement"), resamples=20)
    assert found["other"].low <= found["other"] <= found["other"].high


def test_intervals_hold_the_truth():
    """A known agreement of 0.5; 100 people of four pictures; 95% intervals, 60 times."""
    held, truth = 0, 0.5
    who = np.repeat(np.arange(100), 4)
    for trial in range(60):
        rng = np.random.default_rng([7, trial])
        x = rng.normal(size=(100, 1))[who] + rng.normal(size=(400, 1))
        parts = {"one": WithinPerson(x, who)}
        found = bootstrap_people(
            parts, lambda draw: {"agreement": draw("one", "agreement")[0]}, resamples=300
        )["agreement"]
        held += found.low <= truth <= found.high
    assert 51 <= held <= 60  # 57 are expected; fewer than 51 of 60 happen once in 100


def test_resamples_in_which_nothing_varies_are_left_out():
    who = np.repeat(np.arange(3), 2)
    x = np.array([[0], [0], [0], [0], [1], [1]])
    found = bootstrap_people(
        {"one": WithinPerson(x, who)}, lambda draw: {"a": draw("one", "agreement")[0]}, resamples=99
    )["a"]
    assert (float(found), found.low, found.high) == (1, 1, 1)
    still = bootstrap_people(
        {"one": WithinPerson(0 * x, who)}, lambda draw: {"a": draw("one", "agreement")[0]},
        resamples=9,
    )["a"]  # fmt: skip
    assert np.isnan([float(still), still.low, still.high]).all()


def test_networks_that_cannot_be_compared():
    x, who = drawn(10)
    part = WithinPerson(x, who)
    for other in (WithinPerson(x, who + 1), WithinPerson(x[:-3], who[:-3])):
        with pytest.raises(DataError, match="about different people"):
            bootstrap_people({"one": part, "other": other}, difference("agreement"))
    with pytest.raises(DataError, match="no network"):
        bootstrap_people({}, difference("agreement"))
    for how in ({"resamples": -1}, {"seed": -1}, {"level": 1.0}):
        with pytest.raises(DataError, match=f"{next(iter(how))}="):
            bootstrap_people({"one": part, "other": part}, difference("agreement"), **how)
