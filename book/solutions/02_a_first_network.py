"""Solutions of chapter 2, a first network. Run it: it fails if one of them is wrong."""

import torch

from faceattr.exercises import chapter02


# Exercise 1. A convolution has k k c_in c_out weights and c_out biases, batch norm a scale and a
# shift for each map; the last layer weighs N maps for each attribute, or all M N.
def snet3_parameters(M, N, grouped):
    widths, kernels = [3, 16, 32, 64, 128, M * N], [3, 3, 3, 3, 1]
    total = 0
    for k, inputs, outputs in zip(kernels, widths, widths[1:], strict=False):
        total += k * k * inputs * outputs + outputs  # convolution
        total += 2 * outputs  # batch norm
    return total + (M * N if grouped else M * N * M) + M


# Exercise 2. d/dz of max(z, 0) - z y + log(1 + exp(-|z|)) is sigmoid(z) - y.
def loss_gradient(z, y):
    known = y >= 0
    return torch.where(known, torch.sigmoid(z) - y, 0.0) / known.sum()


# Exercise 3. The variance of a mean over groups of n is 1 + (n - 1) rho times that of
# independent faces.
def effective_faces(N, n, rho):
    return N / (1 + (n - 1) * rho)


# Exercise 4. Newton's method on b = 1 / T, in which the loss is convex.
def best_temperature(z, y):
    b = torch.tensor(0.0, dtype=z.dtype)
    for _ in range(50):
        p = torch.sigmoid(b * z)
        slope, bend = ((p - y) * z).mean(), (p * (1 - p) * z * z).mean()
        b = b - slope / bend
    return 1 / b


ANSWERS = {
    chapter02.check_parameters: snet3_parameters,
    chapter02.check_gradient: loss_gradient,
    chapter02.check_effective_faces: effective_faces,
    chapter02.check_temperature: best_temperature,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
