"""Answers many questions with a model that each warm replica loads once.

    flyte run examples/warm_model.py answer_all

Which chapter of the Python manual tells about a word? The "model" is an index over the manual that comes with Python,
so the example needs nothing else. Making it takes a thousand times as long as using it, which is what warm replicas are
for: module globals stay as they are from one task to the next, so whatever is expensive to make (a model, a connection,
a compiled function) is made by the first task that needs it and found by all others.
"""

from __future__ import annotations

import asyncio
import functools
import math
import os
import re
import time
from collections import Counter
from dataclasses import dataclass

import flyte

#: Two replicas, each with up to eight questions at once. They go when nothing was asked for a minute.
warm = flyte.TaskEnvironment(
    name="warm_model",
    resources=flyte.Resources(cpu="250m", memory="500Mi"),
    reusable=flyte.ReusePolicy(replicas=2, concurrency=8, idle_ttl=60),
)
plain = flyte.TaskEnvironment(name="warm_model_questions", depends_on=[warm])

QUESTIONS = ("generator", "inheritance", "slice", "lambda", "import", "exception", "operator", "coroutine")
WORD = re.compile(r"[a-z]{3,}")


class Model:
    """Chapters by the words that set them apart."""

    def __init__(self, chapters: dict[str, str]) -> None:
        counts = {name: Counter(WORD.findall(text.lower())) for name, text in chapters.items()}
        spread = Counter(word for words in counts.values() for word in words)
        self._weights = {
            name: {word: count / total * math.log(len(counts) / spread[word]) for word, count in words.items()}
            for name, words in counts.items()
            if (total := words.total())
        }

    def best_chapter(self, word: str) -> str:
        """The chapter that the word stands out in most."""
        return max(self._weights, key=lambda name: self._weights[name].get(word, 0.0))


@functools.cache
def model() -> Model:
    """The model of this process: made on the first call, and kept with the module."""
    from pydoc_data.topics import topics

    started = time.perf_counter()
    loaded = Model(dict(topics))
    print(f"process {os.getpid()} loaded the model in {time.perf_counter() - started:.2f} s")
    return loaded


@dataclass(frozen=True)
class Answer:
    """Where to read on, and who found it."""

    question: str
    chapter: str
    process: int
    had_to_load: bool


@warm.task
async def answer(question: str) -> Answer:
    """One question, on whichever replica has room."""
    had_to_load = model.cache_info().currsize == 0
    return Answer(question, model().best_chapter(question), os.getpid(), had_to_load)


@plain.task
async def answer_all(rounds: int = 25) -> dict[str, str]:
    """Asks every question so many times, and says how often the model had to be loaded."""
    answers = await asyncio.gather(*(answer(question) for question in QUESTIONS * rounds))
    processes = {found.process for found in answers}
    loads = sum(found.had_to_load for found in answers)
    print(f"{len(answers)} questions, {len(processes)} replicas, {loads} loads of the model")
    return {found.question: found.chapter for found in answers}
