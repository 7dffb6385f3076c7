"""Several bundles as one: who reads what, and that nobody's prediction depends on a neighbour's."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models.base import Base
from models.bundle import Bundle, load_bundle, write_manifest
from models.classifier import Classifier, Prediction
from models.errors import BundleError
from models.routing import Router
from monitor.settings import load_settings
from tests.unit.models.compress import tiny

pytestmark = pytest.mark.filterwarnings("ignore")


def bundle(folder: Path, base: Base, languages: tuple[str, ...], seed: int) -> Path:
    made: Bundle = tiny.bundle(folder, base, folder.name, seed)
    thresholds = {head.name: 0.0 for head in made.heads}
    write_manifest(replace(made, languages=languages, thresholds=thresholds))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("bundles")
    base = tiny.base(root / "base")
    return bundle(root / "first", base, ("en",), 5), bundle(root / "second", base, ("de", "fr"), 6)


@pytest.fixture(scope="module")
def router(folders: tuple[Path, Path]) -> Router:
    return Router.load(folders, "openvino", 1)


def test_each_text_is_read_by_the_bundle_of_its_language(
    router: Router, folders: tuple[Path, Path]
) -> None:
    texts = ["profit rises", "profit rises", "bank falls", "oil falls", "profit rises", ""]
    found = router.predict(texts, ["en", "fr", None, "zh", "de", "en"])
    first, second = (Classifier.load(folder, "openvino", 1) for folder in folders)
    assert found[0] == first.predict(["profit rises"])[0]
    assert found[1] == found[4] == second.predict(["profit rises"])[0]
    assert found[2] == first.predict(["bank falls"])[0]
    assert found[0].sentiment_probabilities != found[1].sentiment_probabilities
    assert found[3] == found[5] == Prediction()
    named = [(p.model_version, p.bundle_hash) for p in found]
    by_first, by_second = (("first 1", load_bundle(folders[0]).hash),
                           ("second 1", load_bundle(folders[1]).hash))  # fmt: skip
    nobody = (None, None)
    assert named == [by_first, by_second, by_first, nobody, by_second, nobody]


def test_a_prediction_depends_on_its_text_alone(router: Router) -> None:
    rng = random.Random(4)
    texts = [" ".join(rng.choices(tiny.WORDS[:8], k=rng.randrange(1, 9))) for _ in range(200)]
    codes = rng.choices(["en", "de", "fr", None, "zh"], k=len(texts))
    whole = router.predict(texts, codes)
    order = rng.sample(range(len(texts)), len(texts))
    shuffled = router.predict([texts[i] for i in order], [codes[i] for i in order])
    assert [whole[i] for i in order] == shuffled
    alone = [router.predict([text], [code])[0] for text, code in zip(texts, codes, strict=True)]
    assert whole == alone
    # ... nor on which other bundles there are.
    only = Router(router.classifiers[:1]).predict(texts, codes)
    assert [p for p, code in zip(whole, codes, strict=True) if code in ("en", None)] == [
        p for p, code in zip(only, codes, strict=True) if code in ("en", None)
    ]


def test_one_bundle_alone_is_the_classifier(folders: tuple[Path, Path]) -> None:
    classifier = Classifier.load(folders[0], "openvino", 1)
    texts, codes = ["profit rises", "oil falls"], ["en", "zh"]
    assert Router([classifier]).predict(texts, codes) == classifier.predict(texts, codes)
    assert Router([classifier]).predict(texts) == classifier.predict(texts)


def test_two_bundles_for_one_language_are_refused(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    other = bundle(tmp_path / "third", tiny.base(tmp_path / "base"), ("fr",), 7)
    with pytest.raises(
        BundleError, match=r"two bundles read 'fr': .*second and .*third; leave one"
    ):
        Router.load((*folders, other), "openvino", 1)
    with pytest.raises(BundleError, match="two bundles read 'en'"):
        Router.load((folders[0], folders[0]), "openvino", 1)


def test_a_bundle_without_a_target_head_reads_no_company(router: Router) -> None:
    assert router.predict_targets(["bank falls"], [["bank"]], ["fr"]) == [Prediction()]
    with pytest.raises(ValueError, match="2 texts but 1 languages"):
        router.predict(["bank falls", "deal"], ["en"])


def test_the_company_is_asked_about_in_the_bundle_of_the_texts_language(
    folders: tuple[Path, Path],
) -> None:
    """The shipped bundle has a target head, the other has none."""
    both = Router(
        [Classifier.load(None, "openvino", 1), Classifier.load(folders[1], "openvino", 1)]
    )
    assert both.languages == {"en", "de", "fr"}
    text = "Acme wins suit against Beta"
    won, foreign, lost = both.predict_targets(
        [text] * 3, [["Acme"], ["Acme"], ["Beta"]], ["en", "de", "en"]
    )
    assert foreign == Prediction()
    assert won.model_version == lost.model_version == both.main.bundle.model_version
    assert won.score is not None and lost.score is not None
    assert won.score > lost.score


def test_settings_name_one_bundle_or_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().model.folders == (None,)
    file = tmp_path / "foreshock.toml"
    file.write_text('[model]\nbundle = "en"\n')
    assert load_settings(file).model.folders == (Path("en"),)
    file.write_text('[model]\nbundles = ["zh", "de"]\n')
    assert load_settings(file).model.folders == (None, Path("zh"), Path("de"))
    monkeypatch.setenv("FORESHOCK__MODEL__BUNDLES", '["fr"]')
    assert load_settings(file).model.folders == (None, Path("fr"))
