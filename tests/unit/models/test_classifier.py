"""The shipped bundle on its CPU engine: a prediction is a function of its text alone."""

from __future__ import annotations

import gc
import os
import random
import sys
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_native_id

import numpy as np
import pytest

from models.classifier import Classifier, Prediction
from models.errors import ModelError
from models.labels import SENTIMENTS, TOPICS

WHO = ("Acme", "Brightwater Bank", "the ECB", "Zephyr Oil & Gas", "U.S. stocks", "UPDATE 2-Orion")
DID = ("cuts", "raises its", "warns on", "beats", "recalls", "denies", "prices", "names head of")
WHAT = ("dividend", "full-year outlook", "rates", "10-year notes", "quarterly profit by 12 pct",
        "batteries over fire risk", "a $3.2 bln takeover of Nimbus", "talks")  # fmt: skip


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(engine="openvino")


def titles(count: int) -> list[str]:
    rng = random.Random(7)
    return [
        f"{rng.choice(WHO)} {rng.choice(DID)} {rng.choice(WHAT)}"
        + rng.choice(["", " -sources", f" in {rng.randint(1990, 2030)}", " as markets slide" * 3])
        for _ in range(count)
    ]


def test_logits_do_not_depend_on_batch_mates_or_order(classifier: Classifier) -> None:
    texts = titles(2_000)
    whole = classifier.logits(texts)
    order = random.Random(3).sample(range(len(texts)), len(texts))
    shuffled = classifier.logits([texts[i] for i in order])
    small = [classifier.logits(texts[i : i + 7]) for i in range(0, 350, 7)]
    for head, logits in whole.items():
        assert np.array_equal(logits[order], shuffled[head])
        assert np.array_equal(logits[:350], np.concatenate([part[head] for part in small]))
        alone = np.concatenate([classifier.logits([text])[head] for text in texts[:100]])
        assert np.array_equal(logits[:100], alone)


def test_thread_count_changes_no_label(classifier: Classifier) -> None:
    texts = titles(500)
    single = Classifier.load(engine="openvino", threads=1).predict(texts)
    labels = [(p.topic, p.sentiment) for p in classifier.predict(texts)]
    assert labels == [(p.topic, p.sentiment) for p in single]


def test_threads_may_share_a_classifier(classifier: Classifier) -> None:
    parts = [titles(400)[i::8] for i in range(8)]
    expected = [classifier.predict(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(classifier.predict, parts)) == expected


def test_a_prediction_is_whole(classifier: Classifier) -> None:
    (found,) = classifier.predict(["Brightwater Bank cuts dividend after heavy loss"])
    assert found.topic in TOPICS
    assert found.topic_probability is not None
    assert 1 / len(TOPICS) <= found.topic_probability <= 1
    assert found.sentiment == "negative"
    assert found.sentiment in SENTIMENTS
    assert found.sentiment_probabilities is not None
    assert sum(found.sentiment_probabilities) == pytest.approx(1)
    assert found.score is not None
    assert -1 <= found.score < -0.3


def test_what_is_not_read_is_none_and_not_neutral(classifier: Classifier) -> None:
    texts = ["Profit falls", "央行下调存款准备金率", "", "  ", "Profit falls"]
    found = classifier.predict(texts, ["en", "zh", "en", None, None])
    assert found[1:4] == [Prediction()] * 3
    assert found[1].score is None
    assert found[0] == found[4]
    assert found[0].topic is not None


def test_awkward_texts(classifier: Classifier) -> None:
    assert classifier.predict([]) == []
    long, longer = classifier.predict(["oil " * 500, "oil " * 5_000])
    assert long == longer
    odd = classifier.predict(["\U0001f4c9" * 300, "a", "." * 10_000, "x" * 10_000])
    assert all(p.topic in TOPICS for p in odd)
    with pytest.raises(ValueError, match="2 texts but 1 languages"):
        classifier.predict(["a", "b"], ["en"])


def test_the_engine_says_what_it_is_and_why(classifier: Classifier) -> None:
    assert classifier.engine_name == "openvino"
    assert "OpenVINO static int8" in classifier.engine_reason
    assert "because" in classifier.engine_reason
    with pytest.raises(ModelError, match="expected one of auto, openvino, torch"):
        Classifier.load(engine="onnx")


def test_texts_and_companies_in_one_pass_are_as_in_two(classifier: Classifier) -> None:
    texts = ["Acme cuts dividend", " ", "Acme sues Orion over patents"]
    asked = [(2, ["Orion"]), (0, ["Acme"]), (1, ["Acme"]), (2, ["Acme"])]
    predictions, answers = classifier.predict_with_targets(texts, asked)
    assert repr(predictions) == repr(classifier.predict(texts))
    read = [each for each in asked if each[0] != 1]
    told = classifier.predict_targets([texts[i] for i, _ in read], [names for _, names in read])
    assert answers == [*told[:2], Prediction(), told[2]]


def test_an_engine_that_is_done_with_is_freed() -> None:
    classifier = Classifier.load(engine="openvino", threads=1)
    assert classifier.predict(["Acme cuts dividend"])[0].read
    engine = weakref.ref(classifier._engine)
    del classifier
    gc.collect()
    assert engine() is None


@pytest.mark.skipif(sys.platform != "linux", reason="a nice value of a thread's own is Linux's")
def test_the_engine_gives_way_to_the_threads_of_the_process() -> None:
    def nice_values() -> list[int]:
        threads = [int(each.name) for each in Path("/proc/self/task").iterdir()]
        return [os.getpriority(os.PRIO_PROCESS, thread) for thread in threads]

    own = os.getpriority(os.PRIO_PROCESS, get_native_id())
    before = Counter(nice_values())
    classifier = Classifier.load(engine="openvino", threads=2)
    classifier.predict(titles(40))
    assert os.getpriority(os.PRIO_PROCESS, get_native_id()) == own
    came = Counter(nice_values()) - before
    assert sum(number for nice, number in came.items() if nice > own) >= 2, came
