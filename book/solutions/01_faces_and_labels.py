"""Solutions of chapter 1, faces and labels. Run it: it fails if one of them is wrong."""

from faceattr.exercises import chapter01


# Exercise 1. The guess says yes with chance p and the face wears it with chance p, independently:
# both yes, or both no.
def guessing_accuracy(p):
    return p * p + (1 - p) * (1 - p)


# Exercise 2. Saying yes to every face: recall 1, precision p, and F1 their harmonic mean.
def always_yes_f1(p):
    return 2 * p / (1 + p)


# Exercise 3. What is said is the truth, p of the faces. Noise leaves p (1 - noise) of them positive
# and makes (1 - p) noise of the others positive.
def f1_of_the_truth(p, noise):
    true_positive = p * (1 - noise)
    labelled_positive = true_positive + (1 - p) * noise
    return 2 * true_positive / (p + labelled_positive)


# Exercise 4. A person with k worn of n pictures stands in n (n - 1) ordered pairs; in k (k - 1) of
# them both wear it, and the first picture wears it in k (n - 1).
def agreement_from_counts(worn, count):
    pairs = (count * (count - 1)).sum()
    both = (worn * (worn - 1)).sum() / pairs
    p = (worn * (count - 1)).sum() / pairs
    return (both - p * p) / (p * (1 - p))


ANSWERS = {
    chapter01.check_guessing: guessing_accuracy,
    chapter01.check_constant_f1: always_yes_f1,
    chapter01.check_noise: f1_of_the_truth,
    chapter01.check_agreement: agreement_from_counts,
}

if __name__ == "__main__":
    for number, (check, answer) in enumerate(ANSWERS.items(), 1):
        verdict = check(answer)
        print(f"Exercise {number}: {verdict}")
        assert verdict, f"the solution of exercise {number} is wrong: {verdict.reason}"
