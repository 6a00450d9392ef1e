"""The probe against scikit-learn's own loop, and its interval against a slow bootstrap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sbtools.cli.process import call
from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate.intervals import Clusters, expanded
from sbtools.probe import measure as measures
from sbtools.probe.fit import cross_fitted
from sbtools.probe.gather import Gathered, gather
from sbtools.probe.measure import interval, measure
from sbtools.records import Record
from sbtools.rng import generator
from sbtools.store import StoreWriter


def clusters_of_clips(count: int = 90, width: int = 6) -> tuple[Any, Any, Any]:
    """Features that tell a little of three classes, more of 30 recordings, in odd scales."""
    drawn = np.random.default_rng(4)
    groups = np.repeat(np.arange(count // 3), 3)
    classes = (groups * 7) % 3
    of_group = drawn.normal(size=(count // 3, width))
    features = of_group[groups] + 0.5 * drawn.normal(size=(count, width))
    features[:, 0] += 0.7 * classes
    return features * np.logspace(-2, 3, width) + 50, classes, groups


def test_answers_are_those_of_scikit_learn_s_own_loop() -> None:
    features, classes, groups = clusters_of_clips()
    mixed = np.random.default_rng(1).permutation(len(classes))
    features, classes, groups = features[mixed], classes[mixed], groups[mixed]
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    found = cross_fitted(features, classes, groups)
    expected = cross_val_predict(probe, features, classes, groups=groups, cv=GroupKFold(5))
    np.testing.assert_array_equal(found.predicted, expected)
    assert (found.folds, found.unseen, found.converged) == (5, 0, True)
    loose = cross_val_predict(probe, features, classes, cv=KFold(5))
    accuracy, leaking = ((each == classes).mean() for each in (found.predicted, loose))
    assert leaking > accuracy + 0.05  # it would recognise recordings


def test_no_fold_has_a_cluster_in_common_with_what_it_learns_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features, classes, groups = clusters_of_clips()
    rows = {values.tobytes(): group for values, group in zip(features, groups, strict=True)}
    met: list[tuple[set[int], set[int]]] = []

    class Watched:
        def fit(self, values: Any, labels: Any) -> Watched:
            self.seen = {rows[row.tobytes()] for row in values}
            return self

        def predict(self, values: Any) -> Any:
            met.append((self.seen, {rows[row.tobytes()] for row in values}))
            return np.zeros(len(values), int)

    monkeypatch.setattr("sbtools.probe.fit.pipeline", lambda c: Watched())
    cross_fitted(features, classes, groups, 4)
    assert len(met) == 4 and not any(fit & test for fit, test in met)
    assert all(fit | test == set(groups) for fit, test in met)


def test_the_interval_is_that_of_a_slow_bootstrap() -> None:
    drawn = np.random.default_rng(2)
    names = [f"s{int(at)}" for at in drawn.integers(0, 20, 70)]
    right = (drawn.random(70) < 0.6).astype(float)
    known = list(dict.fromkeys(names))
    rng, slow = generator(9, "sources", "bootstrap"), []
    for _ in range(500):
        taken = [known[at] for at in rng.integers(0, len(known), len(known))]
        hits = [hit for source in taken for hit, name in zip(right, names, strict=True)
                if name == source]  # fmt: skip
        slow.append(np.mean(hits))
    tail = (1 - expanded(0.95, len(known))) / 2
    found = interval(right, Clusters.of(names), 500, 9)
    expected = np.quantile(slow, [tail, 1 - tail])
    assert [found.low, found.high] == pytest.approx(list(expected), abs=1e-12)
    assert found.value == right.mean() and found.method == "bootstrap"
    assert np.isnan(interval(right, Clusters.of(names), 0, 9).low)


def test_the_interval_of_a_probe_that_is_always_right_is_exact() -> None:
    found = interval(np.ones(20), Clusters.of([str(at) for at in range(20)]), 100, 0)
    assert [found.low, found.high] == pytest.approx([0.025 ** (1 / 20), 1])
    assert found.method == "clopper-pearson"


def gathered(features: Any, targets: Any, sources: Any) -> Gathered:
    found = Gathered()
    for at, (row, target, source) in enumerate(zip(features, targets, sources, strict=True)):
        record = {"id": f"c{at:03}", "source": f"s{source}"}
        found.add(record, (f"t{target}", "scene"), row)
    return found


def test_what_is_printed_follows_from_the_answers_whatever_the_order() -> None:
    features, classes, groups = clusters_of_clips()
    classes = np.where(classes == 2, 1, classes)
    told = measure(gathered(features, classes, groups), "scene", draws=50)
    names = np.unique([f"s{group}" for group in groups], return_inverse=True)[1]
    right = cross_fitted(features, classes, names).predicted == classes
    assert told["accuracy"] == right.mean() and told["interval"][0] < right.mean()
    assert (told["chance"], told["majority"], told["n"]) == (0.5, 60 / 90, 90)
    assert (told["clusters"], told["classes"], told["counts"]) == (30, ["t0", "t1"], [30, 60])
    assert told["target_from"] == {"scene": 90} and told["features"] == 6
    found, mixed = gathered(features, classes, groups), np.random.default_rng(0).permutation(90)
    for name in ("ids", "targets", "sources", "pair_of", "features"):
        setattr(found, name, [getattr(found, name)[at] for at in mixed])
    assert measure(found, "scene", draws=50) == told


def test_features_that_hold_the_target_are_read_and_others_are_not() -> None:
    drawn = np.random.default_rng(0)
    classes = np.arange(120) % 4
    noise = drawn.normal(size=(120, 5))
    held = noise.copy()
    held[np.arange(120), classes] += 40
    assert measure(gathered(held, classes, range(120)), "scene", draws=10)["accuracy"] == 1
    none = measure(gathered(noise, classes, range(120)), "scene", draws=200)
    assert none["interval"][0] < none["chance"] < none["interval"][1]


@pytest.mark.parametrize(
    ("targets", "sources", "told"),
    [
        ([], [], r"no clip has a scene \(sbtools scenes makes"),
        ([1, 1, 1, 1], [1, 2, 3, 4], "every clip has the scene 't1': a probe needs two"),
        ([1, 2, 1, 2], [1, 2, 3, 2], "'t2' is of one source alone"),
        ([1, 2, 1, 2], [1, 1, 2, 2], ""),
    ],
)
def test_classes_that_cannot_be_probed_are_named(
    targets: list[int], sources: list[int], told: str
) -> None:
    found = gathered(np.arange(2.0 * len(targets)).reshape(-1, 2), targets, sources)
    if not told:
        assert measure(found, "scene", draws=5)["folds"] == 2
        return
    with pytest.raises(SbtoolsError, match=told):
        measure(found, "scene")


def test_a_fold_that_leaves_one_class_is_said() -> None:
    found = gathered(np.eye(4), [1, 1, 2, 2], [1, 2, 3, 4])
    assert measure(found, "scene", folds=4, draws=0)["interval"] is None
    with pytest.raises(SbtoolsError, match="only one class to learn from: more --folds"):
        measures.cross_fitted(np.eye(4), np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 2)


def stored(folder: Path, features: dict[str, Any], name: str = "s", **more: Any) -> dict[str, str]:
    """Addresses by id, of a store that is made for it."""
    with StoreWriter(str(folder / name), "features", {"stage": "features", **more}, {}) as out:
        for id, values in features.items():
            out.add({"id": id}, {}, {"features": np.asarray(values, np.float32)})
        return {record["id"]: record["features"] for record in out.close()}


def test_scenes_are_the_record_s_or_the_highest_score(tmp_path: Path) -> None:
    where = stored(tmp_path, {id: np.ones((3, 2)) * at for at, id in enumerate("abcd")})
    scores = stored(tmp_path, {"b": [0, 0.2, 0.8]}, "scores", names=["sky", "sea", "road"])
    records: list[Record] = [
        {"id": "a", "scene": "sea", "scene_scores": [1.0, 0.0]},
        {"id": "b", "scene_scores": scores["b"]},
        {"id": "c", "scene_scores": [0.1, 0.9]},
        {"id": "d"},
        {"id": "e", "error": {"stage": "features", "kind": "missing", "message": "gone"}},
    ]
    for record in records[:4]:
        record["features"] = where[record["id"]]
    found = gather(records, "scene")
    assert found.targets == ["sea", "road", "1"]
    assert found.origins == {"scene": 1, "scene_scores": 2}
    assert (found.left_out, found.failed) == (1, 1)
    np.testing.assert_array_equal(np.stack(found.features), [[0, 0], [1, 1], [2, 2]])
    with pytest.raises(UsageError, match="the field 'scene_scores' is a list or an object"):
        gather(records[2:3], "scene_scores")


def test_features_of_frames_are_pooled(tmp_path: Path) -> None:
    where = stored(tmp_path, {"a": [[1, 2], [3, -6]]})
    record = {"id": "a", "label": "x", "features": where["a"]}
    for pool, expected in (("mean", [2, -2]), ("max", [3, 2])):
        np.testing.assert_array_equal(gather([record], "label", pool).features[0], expected)


def test_features_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    one = stored(tmp_path, {"a": [1, 2], "nan": [1, np.nan], "long": [1, 2, 3]}, "one")
    two = stored(tmp_path, {"b": [1, 2]}, "two", model="other")
    known = {**one, **two}

    def given(*ids: str) -> list[Record]:
        return [{"id": id, "label": "x", "features": known[id]} for id in ids]

    with pytest.raises(UsageError, match="were made otherwise"):
        gather(given("a", "b"), "label")
    with pytest.raises(SbtoolsError, match="'nan': its features are not numbers"):
        gather(given("a", "nan"), "label")
    with pytest.raises(SbtoolsError, match="'long' has 3 features, and 'a' has 2"):
        gather(given("a", "long"), "label")
    with pytest.raises(SbtoolsError, match="'z' has no features: run `sbtools features`"):
        gather([{"id": "z", "label": "x"}], "label")
    with pytest.raises(SbtoolsError, match=r"clip 'z': .*does not exist: --root"):
        gather([{"id": "z", "label": "x", "features": "gone/0.h5::clips/z"}], "label")


def test_the_command_prints_one_object(tmp_path: Path, capfd: Any) -> None:
    drawn = np.random.default_rng(0)
    where = stored(tmp_path, {f"c{at}": drawn.normal(size=3) for at in range(12)})
    records = [{"id": id, "verb": "ab"[at % 2], "features": address}
               for at, (id, address) in enumerate(where.items())]  # fmt: skip
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    (tmp_path / "f.jsonl").write_text(lines)
    words = ["probe", "--target", "verb", "--folds", "3", "--bootstrap", "20"]
    assert call([*words, str(tmp_path / "f.jsonl")]) == 0
    told = json.loads(capfd.readouterr().out)
    assert {"accuracy", "interval", "chance", "majority", "n"} <= told.keys()
    assert (told["n"], told["folds"], told["store"]) == (12, 3, {"stage": "features"})
    assert call(["probe", "--target", "scene", str(tmp_path / "f.jsonl")]) == 1
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and "no clip has a scene" in err
