"""Solutions of chapter 5, compressing with hints. Run it: it fails if one of them is wrong."""

import torch

from faceattr.exercises import chapter05
from faceattr.objectives.hints import hint_loss


# Exercise 1. Each weight is used at every place of its convolution's maps. Pooling comes after the
# last convolution of a module, and after the first four modules only.
def multiply_adds(column, side):
    total, inputs = 0, 3
    for module, (kernel, maps, times) in enumerate(column):
        for _ in range(times):
            total += kernel * kernel * inputs * maps * side * side
            inputs = maps
        if module < 4:
            side //= 2
    return total


# Exercise 2. The derivative of the cross entropy in its logit is probability minus label; the
# logit is z / T, and the chain rule adds the factor.
def soft_gradient(student, teacher, temperature):
    return ((student / temperature).sigmoid() - (teacher / temperature).sigmoid()) / temperature


# Exercise 3. Split rows and columns, each on its own, and average over what is inside a square.
def reduced(maps, r):
    h, w = maps.shape[-2:]
    squares = maps.reshape(*maps.shape[:-2], h // r, r, w // r, r)  # (B, M, N, h/r, r, w/r, r)
    return squares.mean((-3, -1))  # (B, M, N, h/r, w/r)


# Exercise 4. In evaluation mode batch norm gathers nothing, under no_grad no gradient arrives.
def hint_step(student, teacher, optimizer, images):
    teacher.eval()
    with torch.no_grad():
        maps = teacher(images).features  # (B, M, N, h, w)
    loss = hint_loss(student(images).features, maps)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


ANSWERS = {
    chapter05.check_work: multiply_adds,
    chapter05.check_soft_gradient: soft_gradient,
    chapter05.check_reduce: reduced,
    chapter05.check_step: hint_step,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
