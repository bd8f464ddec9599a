"""How attributes share the loss: Eq. 6's gradient, and six schemes with one interface."""

import pytest
import torch

from faceattr.errors import DataError, UnknownNameError
from faceattr.models.mcfa import MCFA
from faceattr.objectives.weighting import (
    LEARNED,
    SCHEMES,
    SIGMA,
    TEMPERATURE,
    softmax_gradient,
    weighting,
)

M, B = 6, 5


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def some():
    return torch.rand(B, M) + 0.1, torch.ones(B, M, dtype=torch.bool), torch.rand(B, M).softmax(1)


def test_the_gradient_of_eq_6():
    alpha = torch.randn(B, M, dtype=torch.float64, requires_grad=True)
    losses = torch.rand(B, M, dtype=torch.float64)
    mu = alpha.softmax(1)
    (mu * losses).sum().backward()
    torch.testing.assert_close(alpha.grad, softmax_gradient(mu, losses).detach())
    torch.testing.assert_close(softmax_gradient(mu, losses).sum(1), torch.zeros(B).double())


def test_descent_sends_the_weight_to_the_easiest_attribute():
    losses = torch.tensor([0.2, 0.5, 0.9, 0.3])
    alpha = torch.zeros(4)
    before = alpha.softmax(0)
    step = alpha - softmax_gradient(before, losses)
    gained = step.softmax(0) > before
    assert torch.equal(gained, losses < losses.mean()), "easier than average: more weight"
    for _ in range(3000):
        alpha = alpha - softmax_gradient(alpha.softmax(0), losses)
    assert alpha.softmax(0).argmax() == losses.argmin()
    assert alpha.softmax(0).max() > 0.99


def test_the_inverse_scheme_sends_it_to_the_hardest():
    losses, known = torch.tensor([[0.2, 0.5, 0.9, 0.4]]), torch.ones(1, 4, dtype=torch.bool)
    alpha = torch.zeros(4, requires_grad=True)
    optimizer = torch.optim.SGD([alpha], 1.0)
    scheme = weighting("inverse", 4)
    optimizer.zero_grad()
    scheme(losses, known, alpha.softmax(0)[None])[0].backward()
    turned = softmax_gradient(alpha.softmax(0).detach(), 1 / (losses[0] + SIGMA))
    torch.testing.assert_close(alpha.grad, turned)
    for _ in range(500):
        optimizer.zero_grad()
        scheme(losses, known, alpha.softmax(0)[None])[0].backward()
        optimizer.step()
    assert alpha.argmax() == losses.argmax()
    assert alpha.softmax(0).max() > 0.98


def test_inverse_trains_the_network_on_the_weighted_loss_alone():
    losses, known, mu = some()
    losses.requires_grad_(True)
    mu.requires_grad_(True)
    value, shown = weighting("inverse", M)(losses, known, mu)
    value.backward()
    torch.testing.assert_close(value, (mu * losses).sum(1).mean())
    torch.testing.assert_close(losses.grad, mu.detach() / B)
    slope = (1 / (losses.detach().mean(0) + SIGMA) / B).expand(B, M)
    along = (slope * mu.detach()).sum(1, keepdim=True)  # lost where weights are brought to one
    torch.testing.assert_close(mu.grad, slope - along)
    assert not shown.requires_grad


@pytest.mark.parametrize(("scheme", "reached"), [("dynamic", True), ("inverse", False)])
def test_whether_the_weights_teach_the_features(scheme, reached):
    net = MCFA.small(num_attributes=M, weights=weighting(scheme, M).layer)
    for heads in net.heads:  # or the features have no say in the weights yet
        torch.nn.init.normal_(heads.weights.weight)
    outputs = net.nets(torch.rand(B, 3, 112, 112))[0]
    outputs.loss_weights[:, 0].sum().backward()
    assert (net.s_net.last.weight.grad is not None) == reached
    assert net.heads[0].weights.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", SCHEMES)
def test_weights_sum_to_one_and_leave_out_what_nobody_knows(name):
    losses, known, mu = some()
    known[0, 2:] = False
    known[1] = False
    losses[~known] = 1e6  # whatever stands there
    losses.requires_grad_(True)
    scheme = weighting(name, M, nets=3)
    value, weights = scheme(losses, known, mu if name in LEARNED else None, net=1)
    assert value < 100
    value.backward()
    assert (losses.grad[~known] == 0).all()
    assert losses.grad.isfinite().all()
    torch.testing.assert_close(weights.sum(1), known.any(1).float())
    assert (weights[~known] == 0).all()
    assert (weights[known] > 0).all()


@pytest.mark.parametrize("name", SCHEMES)
def test_nothing_known_is_a_loss_of_zero(name):
    losses, known, mu = some()
    losses.requires_grad_(True)
    value, _ = weighting(name, M)(losses, ~known, mu)
    assert value == 0
    value.backward()
    assert (losses.grad == 0).all()


@pytest.mark.parametrize("name", ["equal", "dynamic", "inverse", "uncertainty", "dwa"])
def test_equal_weights_give_the_mean(name):
    losses, known, _ = some()
    value, weights = weighting(name, M)(losses, known, torch.full((B, M), 1 / M))
    torch.testing.assert_close(value, losses.mean())
    torch.testing.assert_close(weights, torch.full((B, M), 1 / M))


def test_kendalls_temperatures():
    losses, known, _ = some()
    scheme = weighting("uncertainty", M, nets=2)
    with torch.no_grad():
        scheme.log_variance[1] = torch.linspace(-1, 1, M)
    value, weights = scheme(losses, known, net=1)
    s = scheme.log_variance[1]
    torch.testing.assert_close(value, (losses * (-s).exp() + s / 2).mean(1).mean())
    assert weights[0].argmax() == 0
    value.backward()
    best = scheme.log_variance.grad[1]
    torch.testing.assert_close(best, (0.5 - losses.mean(0) * (-s).exp()).detach() / M)
    assert (scheme.log_variance.grad[0] == 0).all()


def test_dwa_looks_two_epochs_back():
    scheme = weighting("dwa", 3).train()
    known = torch.ones(2, 3, dtype=torch.bool)
    epochs = torch.tensor([[1.0, 1.0, 1.0], [0.5, 1.0, 0.8]])
    for losses in epochs:
        for _ in range(4):
            _, weights = scheme(losses.expand(2, 3), known)
            torch.testing.assert_close(weights, torch.full((2, 3), 1 / 3))
        scheme.end_epoch()
    _, weights = scheme(epochs[1].expand(2, 3), known)
    expected = torch.softmax(epochs[1] / epochs[0] / TEMPERATURE, 0)
    torch.testing.assert_close(weights[0], expected)
    assert weights[0].argmax() == 1, "the loss that fell least"
    again = weighting("dwa", 3)
    again.load_state_dict(scheme.state_dict())
    torch.testing.assert_close(again.eval()(epochs[1].expand(2, 3), known)[1], weights)


def test_random_weights_are_drawn_at_each_step():
    losses, known, _ = some()
    scheme = weighting("random", M)
    torch.manual_seed(3)
    first, second = scheme(losses, known)[1], scheme(losses, known)[1]
    assert not torch.equal(first, second)
    assert torch.equal(first[0], first[1])
    torch.manual_seed(3)
    assert torch.equal(scheme(losses, known)[1], first)


def test_names_and_layers_that_are_not_there():
    with pytest.raises(UnknownNameError, match="unknown weighting 'gradnorm': choose one of dyn"):
        weighting("gradnorm")
    losses, known, _ = some()
    for name in LEARNED:
        with pytest.raises(DataError, match="weights=True"):
            weighting(name, M)(losses, known)
