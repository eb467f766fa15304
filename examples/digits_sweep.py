"""A hyper-parameter sweep over scikit-learn's digits: load, split, train on a warm pool, evaluate, keep the best model.

    flyte run examples/digits_sweep.py sweep
    flyte run examples/digits_sweep.py sweep --no-warm      # each training in a worker of its own; on Kubernetes, a pod

Its tasks need scikit-learn: `pip install '.[demo]'` where they run as processes of this machine, an image that has it
on Kubernetes. The data is real, and every training is a task of its own on a replica that has imported scikit-learn
once. Everything is cached, so a second run reads all of it back.
"""

import asyncio
import itertools
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path

import flyte
from flyte.io import File

data = flyte.TaskEnvironment(
    name="digits_data",
    cache="auto",
    resources=flyte.Resources(cpu=1, memory="1Gi"),
)

training = flyte.TaskEnvironment(
    name="digits_training",
    cache="auto",
    reusable=flyte.ReusePolicy(replicas=2, concurrency=1, idle_ttl=60),
)

#: Of a training that does not run on a warm replica.
ALONE = flyte.Resources(cpu=("100m", 1), memory="600Mi")

main = flyte.TaskEnvironment(name="digits", cache="auto", depends_on=[data, training])


@dataclass(frozen=True)
class Candidate:
    """Parameters of one support-vector classifier."""

    c: float
    gamma: float
    kernel: str = "rbf"


@dataclass(frozen=True)
class Result:
    """How a candidate did on the validation part, and its trained model."""

    candidate: Candidate
    accuracy: float
    support_vectors: int
    model: File


@dataclass(frozen=True)
class Split:
    """The three parts of the data, each one file."""

    train: File
    validation: File
    test: File


@data.task
async def load() -> File:
    """Loads the digits: 1,797 pictures of 8 by 8 pixels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return await _keep("digits.pickle", (digits.data / 16.0, digits.target))


@data.task
async def split(digits: File, seed: int = 7) -> Split:
    """Splits the pictures into 60% for training, 20% for validation and 20% for the test."""
    from sklearn.model_selection import train_test_split

    pictures, labels = await _read(digits)
    train_x, rest_x, train_y, rest_y = train_test_split(
        pictures, labels, test_size=0.4, random_state=seed, stratify=labels
    )
    validation_x, test_x, validation_y, test_y = train_test_split(
        rest_x, rest_y, test_size=0.5, random_state=seed, stratify=rest_y
    )
    return Split(
        train=await _keep("train.pickle", (train_x, train_y)),
        validation=await _keep("validation.pickle", (validation_x, validation_y)),
        test=await _keep("test.pickle", (test_x, test_y)),
    )


@training.task
async def train(parts: Split, candidate: Candidate) -> Result:
    """Trains one candidate and measures it on the validation part."""
    from sklearn.svm import SVC

    pictures, labels = await _read(parts.train)
    model = SVC(C=candidate.c, gamma=candidate.gamma, kernel=candidate.kernel).fit(pictures, labels)
    accuracy = float(model.score(*await _read(parts.validation)))
    print(f"C={candidate.c:g} gamma={candidate.gamma:g} kernel={candidate.kernel}: {accuracy:.4f}")
    return Result(
        candidate=candidate,
        accuracy=accuracy,
        support_vectors=int(model.n_support_.sum()),
        model=await _keep("model.pickle", model),
    )


@data.task
async def evaluate(parts: Split, model: File) -> float:
    """Accuracy of a model on the test part, which no candidate was chosen by."""
    trained = await _read(model)
    return float(trained.score(*await _read(parts.test)))


@main.task
async def sweep(candidates: int = 48, seed: int = 7, warm: bool = True) -> tuple[File, str]:
    """The whole job: one training for each candidate. Returns the best model and a report."""
    one = train if warm else train.override(reusable="off", resources=ALONE)
    parts = await split(await load(), seed)
    with flyte.group("training"):
        results = await asyncio.gather(*(one(parts, candidate) for candidate in grid(candidates)))
    ranked = sorted(results, key=lambda result: (-result.accuracy, result.support_vectors))
    best = ranked[0]
    accuracy = await evaluate(parts, best.model)
    verdict = f"best: C={best.candidate.c:g} gamma={best.candidate.gamma:g}, {accuracy:.4f} on pictures it never saw"
    return best.model, f"{table(ranked[:10])}\n{verdict}"


def grid(most: int) -> list[Candidate]:
    """The first candidates of the grid, at most `most`."""
    strengths = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
    widths = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    pairs = itertools.product(strengths, widths)
    return [Candidate(c=strength, gamma=width) for strength, width in itertools.islice(pairs, most)]


def table(results: list[Result]) -> str:
    """Results as text, the best first."""
    lines = [f"{'C':>7}  {'gamma':>7}  {'kernel':<6}  {'accuracy':>8}  {'vectors':>7}"]
    lines += [
        f"{result.candidate.c:>7g}  {result.candidate.gamma:>7g}  {result.candidate.kernel:<6}  "
        f"{result.accuracy:>8.4f}  {result.support_vectors:>7}"
        for result in results
    ]
    return "\n".join(lines)


async def _keep(name: str, value: object) -> File:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(pickle.dumps(value))
        return await File.from_local(str(path))


async def _read(file: File):  # whatever was kept
    async with file.open("rb") as stream:
        content = await stream.read()
    return pickle.loads(bytes(content))
