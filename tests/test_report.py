"""The report's experiments by command, the statistics, and the verdicts: each from known numbers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from training import claims, experiments, reported
from training.commands import main
from training.pretrain import recipes
from training.report import FOLDER, PARTS
from training.reported import SIXTEEN
from training.statistics import Paired, holm, mean, paired, paired_together
from training.tasks import TASKS

numbers = st.lists(st.floats(0, 1), min_size=2, max_size=70)


@given(numbers)
def test_the_interval_is_scipys(values: list[float]) -> None:
    found = mean(values)
    assert (found.mean, found.n) == (pytest.approx(np.mean(values)), len(values))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    if stats.sem(values) > 0:
        assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    else:
        assert found.low == found.mean == found.high


def test_an_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    samples = random.normal(3, 2, (2000, 5))
    covered = [found.low <= 3 <= found.high for found in (mean(sample.tolist()) for sample in samples)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=70))
def test_the_paired_test_is_scipys_and_turns_with_its_arguments(pairs: list[tuple[float, float]]) -> None:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    found, turned = paired(first, second), paired(second, first)
    assert (found.wins, found.losses, found.better) == (turned.losses, turned.wins, -turned.better)
    differences = np.subtract(first, second)
    if np.ptp(differences) > 1e-9:
        assert found.p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)


def test_a_paired_test_of_equal_differences() -> None:
    assert paired([1.0, 1.0], [1.0, 1.0]).better == 0
    assert paired([1.0] * 6, [0.5] * 6).better == 1
    assert paired([1.0] * 6, [0.5] * 6).p == 1 / 32  # all six heads, or all six tails
    assert paired([1.0] * 5, [0.5] * 5).better == 0
    assert paired([0.3, 0.7], [0.2, 0.6]).p == 0.5, "equal but for rounding"
    assert paired([0.1 + 0.2, 1.0], [0.3, 1.0]).wins == 0
    assert paired([1.0], [0.5]).better == 0, "one seed proves nothing"
    with pytest.raises(ValueError, match="as many numbers"):
        paired([1.0], [0.5, 0.2])
    with pytest.raises(ValueError, match="no numbers"):
        paired([], [])
    with pytest.raises(ValueError, match="no numbers"):
        mean([])


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [  # as R's p.adjust(p, "holm") says
        ([0.01, 0.02, 0.03, 0.04], [0.04, 0.06, 0.06, 0.06]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.6, 1.0], [1.0, 1.0, 1.0]),
        ([0.04], [0.04]),
        ([], []),
    ],
)
def test_holms_correction(p_values: list[float], corrected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(corrected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_lies_between_no_correction_and_bonferronis_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= c <= min(1, len(p_values) * p) for p, c in zip(p_values, corrected, strict=True))
    assert [corrected[i] for i in np.argsort(p_values)] == sorted(corrected)


def test_tests_made_together_seldom_find_what_is_not_there() -> None:
    random = np.random.default_rng(0)
    families = [[paired(*random.normal(0, 1, (2, 10)).tolist()).p for _ in range(9)] for _ in range(100)]
    assert np.mean([min(family) < 0.05 for family in families]) > 0.3
    assert np.mean([min(holm(family)) < 0.05 for family in families]) < 0.12


def comparison(wins: int, losses: int, n: int, difference: float = 0.001, p: float = 1.0) -> Paired:
    return Paired(difference, p, wins, losses, n)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (comparison(40, 20, 64, p=0.01), claims.HOLDS),
        (comparison(20, 40, 64, -0.001, p=0.01), claims.FAILS),
        (comparison(0, 0, 64, 0.0), claims.FAILS),  # every seed the same
        (comparison(3, 0, 64), claims.FAILS),  # hardly any seed differs
        (comparison(30, 9, 64), claims.DEPENDS),  # seeds differ in direction
        (comparison(32, 32, 64), claims.DEPENDS),
        (comparison(0, 0, 5, 0.0), claims.FAILS),
        (comparison(0, 4, 4, -0.001, p=0.2), claims.DEPENDS),  # too few seeds to tell
        (comparison(5, 0, 5, p=0.06), claims.DEPENDS),
    ],
)
def test_one_setting_beats_another_or_not_or_it_depends(found: Paired, verdict: str) -> None:
    assert claims.of_comparison(found) == verdict


def test_comparisons_made_together_are_corrected() -> None:
    pairs = {"a": ([0.9, 0.8, 0.9], [0.7, 0.7, 0.6]), "b": ([0.5, 0.6, 0.8], [0.5, 0.5, 0.9])}
    alone = [paired(*pair).p for pair in pairs.values()]
    assert [each.p for each in paired_together(pairs).values()] == holm(alone)


def test_a_claim_about_several_settings_stands_or_falls_with_each() -> None:
    holds, fails, depends = claims.HOLDS, claims.FAILS, claims.DEPENDS
    assert claims.of_all([holds, holds]) == holds
    assert claims.of_all([holds, depends]) == depends
    assert claims.of_all([holds, depends, fails]) == fails


def row(**values: object) -> dict:
    return values


def digits_results(gru: float, bilstm: float, decay: float) -> dict:
    spread = np.array([-0.002, -0.001, 0, 0.001, 0.002])
    rows = []
    for network, accuracy in (("RNN", 0.96), ("GRU", gru), ("BiLSTM", bilstm)):
        for weight_decay, change in ((0.0, 0.0), (1e-3, decay)):
            # Who differs at all does not differ by the same in each seed: of five that would be no evidence.
            test = (accuracy + change + spread * (accuracy + change)).tolist()
            rows.append(row(network=network, weight_decay=weight_decay, test=test))
    return {"rows": rows}


@pytest.mark.parametrize(
    ("gru", "bilstm", "verdict"),
    [(0.99, 0.98, claims.HOLDS), (0.97, 0.98, claims.FAILS), (0.98, 0.98, claims.FAILS)],
)
def test_whether_the_gru_is_best(gru: float, bilstm: float, verdict: str) -> None:
    assert claims.gru_is_best(digits_results(gru, bilstm, -0.01)).verdict == verdict


@pytest.mark.parametrize(("decay", "verdict"), [(-0.01, claims.HOLDS), (0.01, claims.FAILS), (0.0, claims.FAILS)])
def test_whether_regularisation_hurts(decay: float, verdict: str) -> None:
    claim = claims.unregularised_is_better(digits_results(0.98, 0.98, decay))
    assert claim.verdict == verdict
    assert claim.because.count("5 seeds") == 3


def test_the_grids_choice_is_made_seed_by_seed() -> None:
    rows = [
        row(network=network, num_layers=layers, hidden_size=hidden, validation=[accuracy, accuracy])
        for network, (best_layers, best_hidden) in reported.GRID_CHOICE.items()
        for layers, hidden in ((1, 64), (best_layers, best_hidden))
        for accuracy in [0.9 + 0.01 * layers]
    ]
    assert claims.grid_choice({"rows": rows}).verdict == claims.HOLDS
    rows[0]["validation"][1] = 0.99
    changed = claims.grid_choice({"rows": rows})
    assert changed.verdict == claims.DEPENDS
    assert "5 of 6" in changed.because
    assert "1 x 64" in changed.because
    rows[0]["validation"][0] = 0.99
    assert claims.grid_choice({"rows": rows}).verdict == claims.FAILS, "never the report's for one of the three"


@pytest.mark.parametrize(
    ("two", "five", "ten", "verdict"),
    [
        (0.0, 0.0, 1.0, claims.HOLDS),
        (0.0, 1.0, 1.0, claims.FAILS),
        (1.0, 0.0, 1.0, claims.FAILS),  # two suffice
        (0.0, 0.5, 1.0, claims.DEPENDS),
        (0.0, 0.0, 60 / 64, claims.DEPENDS),  # not quite most seeds of ten
        (0.0, 0.0, 0.0, claims.FAILS),  # ten do not suffice
    ],
)
def test_whether_ten_units_are_needed(two: float, five: float, ten: float, verdict: str) -> None:
    perfect = {2: two, 5: five, 10: ten}
    rows = [
        row(hidden_size=size, readout="final", test=[1.0] * round(64 * share) + [0.9] * round(64 * (1 - share)))
        for size, share in perfect.items()
    ]
    assert claims.recall_needs_ten({"rows": rows}).verdict == verdict


def adders(**perfect: float) -> dict:
    """Results in which a share of 20 seeds is perfect: `adders(mse2=0.5)`, all others being so."""
    rows = []
    for cell in claims.CELLS:
        for size in claims.SIZES:
            for loss in ("bce", "mse"):
                good = round(20 * perfect.get(f"{loss}{size}", 1.0))
                test = [1.0] * good + [0.8 + 0.001 * seed for seed in range(20 - good)]
                chains = [1.0] * (good // 2) + [0.9] * (20 - good // 2)
                longest = {"random numbers": test, "carry chains": chains}
                rows.append(row(cell=cell, hidden_size=size, loss=loss, test=test, longest=longest))
    return {"rows": rows, "longest": 64}


def test_whether_mse_beats_bce() -> None:
    assert claims.mse_beats_bce(adders(bce2=0.2, bce5=0.3, bce10=0.4)).verdict == claims.HOLDS
    assert claims.mse_beats_bce(adders(bce2=0.2)).verdict == claims.FAILS, "no seed differs at the other sizes"
    assert claims.mse_beats_bce(adders(mse2=0.2)).verdict == claims.FAILS
    mixed = adders(bce2=0.2, bce5=0.3, bce10=0.4)
    for found in mixed["rows"]:
        if found["hidden_size"] == 10:  # half of the seeds are better with either loss
            found["test"] = [0.9 + 0.01 * ((seed % 2) == (found["loss"] == "mse")) for seed in range(20)]
    claim = claims.mse_beats_bce(mixed)
    assert claim.verdict == claims.DEPENDS
    assert "better beyond chance in 6 (RNN of 2, RNN of 5," in claim.because
    assert "in 3 (RNN of 10, GRU of 10, LSTM of 10) seeds differ in direction" in claim.because
    assert "Holm" in claim.test


def test_whether_bce_needs_more_units() -> None:
    assert claims.bce_needs_more(adders(bce2=0.5)).verdict == claims.HOLDS
    assert claims.bce_needs_more(adders(bce2=0.5, mse2=0.5)).verdict == claims.FAILS
    one = adders(bce2=0.5)
    for found in one["rows"]:
        if found["cell"] != "gru":
            found["test"] = [1.0] * 20
    assert claims.bce_needs_more(one).verdict == claims.FAILS, "of one cell only, and that is no matter of the seed"
    never = adders(**{f"{loss}{size}": 0.5 for loss in ("bce", "mse") for size in (2, 5, 10)})
    assert claims.bce_needs_more(never).verdict == claims.DEPENDS, "no size was enough for either loss"


def test_whether_small_adders_generalise_and_large_ones_do_not() -> None:
    assert claims.small_mse_generalises(adders(mse5=0.2, mse10=0.2)).verdict == claims.HOLDS
    turned = claims.small_mse_generalises(adders(mse2=0.1))
    assert turned.verdict == claims.FAILS
    assert "not worse" in turned.because
    same = claims.small_mse_generalises(adders())
    assert same.verdict == claims.FAILS, "neither is overfitted"
    assert "not worse" not in same.because


@pytest.mark.parametrize(("small", "verdict"), [(0.5, claims.DEPENDS), (0.0, claims.FAILS)])
def test_small_adders_must_add_every_length_and_not_only_better_than_large_ones(small: float, verdict: str) -> None:
    found = adders(mse2=small)
    for each in found["rows"]:
        if each["hidden_size"] > 2:
            each["longest"]["random numbers"] = [0.1 + 0.001 * seed for seed in range(20)]
    claim = claims.small_mse_generalises(found)
    assert claim.verdict == verdict
    assert claims.COUNT in claim.test and claims.T_TEST in claim.test


def test_whether_ten_units_add_perfectly() -> None:
    assert claims.ten_is_perfect(adders()).verdict == claims.HOLDS
    assert claims.ten_is_perfect(adders(bce10=0.5)).verdict == claims.DEPENDS


def test_random_numbers_do_not_show_that_an_adder_is_right() -> None:
    claim = claims.perfect_is_correct(adders())
    assert "Of 360 networks" in claim.because
    assert "180 (50" in claim.because
    assert claim.verdict == claims.DEPENDS


def test_without_a_perfect_adder_nobody_can_tell() -> None:
    found = adders(**{f"{loss}{size}": 0.0 for loss in ("bce", "mse") for size in claims.SIZES})
    claim = claims.perfect_is_correct(found)
    assert claim.verdict == claims.DEPENDS
    assert claim.because == "No network adds every random pair of 64 bits, so there is none to judge by."


@pytest.mark.parametrize(
    ("number", "digits", "said"),
    [(1.0, 1, "100.0 %"), (0.9999, 1, "over 99.9 %"), (0.996, 0, "over 99 %"), (0.994, 0, "99 %"), (0.47, 1, "47.0 %")],
)
def test_only_what_is_perfect_is_said_to_be(number: float, digits: int, said: str) -> None:
    assert claims.percent(number, digits).replace("\N{NO-BREAK SPACE}", " ") == said


def test_the_sixteen_sequences_have_two_of_each_length() -> None:
    assert sorted(map(len, SIXTEEN)) == sorted([*range(3, 11)] * 2)


def test_every_part_has_the_settings_and_seeds_that_the_lab_report_takes() -> None:
    assert len(PARTS["grid"].cells(3)) == 3 * 2 * 3 * 3
    assert len(PARTS["regularisation"].cells(5)) == 3 * 2 * 5
    assert len(PARTS["addition"].cells(64)) == 3 * 3 * 2
    grid_cells = [json.dumps(cell, sort_keys=True) for cell in PARTS["grid"].cells(3)]
    shared = [json.dumps(cell, sort_keys=True) for cell in PARTS["regularisation"].cells(3)]
    assert len(set(grid_cells) & set(shared)) == 9, "what both need is trained once"


def test_the_grid_chooses_by_validation_data_and_not_by_test_data() -> None:
    accuracies = {64: (0.97, 0.99), 128: (0.99, 0.97), 256: (0.98, 0.98)}  # on validation data, on test data
    measured = [
        (
            {"settings": replace(TASKS["digits"].defaults, hidden_size=hidden).to_dict()},
            {
                "parameters": 1,
                "curves": [{"metrics": {"accuracy": validation}}],
                "metrics": {"accuracy": test},
            },
        )
        for hidden, (validation, test) in accuracies.items()
    ]
    rows = PARTS["grid"].summarise(measured)["rows"]
    assert [each["hidden_size"] for each in rows if each["chosen"]] == [128]
    assert [each["hidden_size"] for each in rows if "test" in each] == [128], "others are not even measured"


def test_the_bands_leave_one_seed_in_twenty_out_at_each_end() -> None:
    seeds = [float(seed) for seed in range(21)]
    metrics = {"accuracy": seeds}
    point = {"step": 1, "train_loss": seeds, "validation_loss": seeds, "metrics": metrics}
    result = {"metrics": metrics, "curves": [point], "by_length": [{"length": 3, "accuracy": seeds}]}
    cell = {"settings": TASKS["recall"].defaults.to_dict(), "seeds": 21}
    (written,) = PARTS["recall"].summarise([(cell, result)])["rows"]
    band = {"mean": 10.0, "median": 10.0, "low": 1.0, "high": 19.0}
    assert written["by_length"] == [{"length": 3} | band]
    assert written["curves"]["training loss"] == {name: [number] for name, number in band.items()}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the data for the small tasks."""
    for name in ("addition", "recall"):
        task = TASKS[name]
        small = task.defaults.with_data(num_batches=10)
        monkeypatch.setitem(TASKS, name, task.__class__(**{**task.__dict__, "defaults": small}))
    monkeypatch.setattr(experiments, "LONGEST", 8)
    monkeypatch.setattr(experiments, "RANDOM_PAIRS", 20)
    monkeypatch.setattr(experiments, "RECALLED", 20)
    monkeypatch.setattr(experiments, "POINT", 20)


def test_the_command_measures_a_part_and_goes_on_where_it_stopped(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.test_sweep import here
    from training import report

    monkeypatch.setattr(report, "processes", lambda jobs: here)
    arguments = ["report", "--only", "addition", "--seeds", "3", "--folder", str(tmp_path), "--json"]
    main(arguments)
    done = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert done[-1] == {"part": "addition", "done": 18, "of": 18}
    written = json.loads((tmp_path / "addition.json").read_text())
    assert written["command"] == "python -m training report --only addition --seeds 3"
    assert {len(each["test"]) for each in written["rows"]} == {3}
    assert {len(each["by_length"]["carry chains"]["bit_accuracy"]["median"]) for each in written["rows"]} == {8}
    assert set(written["versions"]) >= {"python", "torch"}
    for judge in (claims.mse_beats_bce, claims.ten_is_perfect, claims.bce_needs_more, claims.small_mse_generalises):
        assert judge(written).verdict in (claims.HOLDS, claims.FAILS, claims.DEPENDS)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").rglob("*.json")}
    main(arguments)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").rglob("*.json")} == times
    assert json.loads((tmp_path / "addition.json").read_text()) == written

    old = next((tmp_path / "cells" / "addition").glob("*.json"))
    content = json.loads(old.read_text())
    content["versions"]["torch"] = "1.0.0"
    old.write_text(json.dumps(content))
    main(arguments)
    versions = json.loads((tmp_path / "addition.json").read_text())["versions"]
    assert versions == written["versions"] | {"torch": f"1.0.0 and {written['versions']['torch']}"}, (
        "those of its cells"
    )


def test_the_recall_part(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.test_sweep import here
    from training import report

    monkeypatch.setattr(report, "processes", lambda jobs: here)
    quick = recipes()["recall-i0-h10"]
    small = quick.settings.with_data(num_batches=10)
    monkeypatch.setattr(
        experiments, "recipes", lambda: {"recall-i0-h10": quick.__class__(**{**quick.__dict__, "settings": small})}
    )
    main(["report", "--only", "recall", "--seeds", "4", "--folder", str(tmp_path)])
    written = json.loads((tmp_path / "recall.json").read_text())
    assert len(written["rows"]) == 6
    assert written["index_seeds"] == 1
    assert {(each["index"], each["length"]) for each in written["index_by_length"]} == {
        (index, length) for index in range(10) for length in range(index + 1, 31)
    }
    assert [each["truth"] for each in written["examples"]] == [int(text[1]) for text in SIXTEEN]
    assert all(each["said"]["recall-i1-h10"] == each["truth"] for each in written["examples"])
    assert claims.final_states_recall(written).test == claims.T_TEST


def test_a_network_that_was_made_anew_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training import report

    models = [cell["model"] for cell in PARTS["samples"].cells(1)]
    monkeypatch.setattr(report, "WEIGHTS", tmp_path)
    for model in models:
        (tmp_path / f"{model}.safetensors").write_bytes(b"old")
    before = PARTS["samples"].cells(1)
    (tmp_path / "digits-gru.safetensors").write_bytes(b"new")
    after = PARTS["samples"].cells(1)
    assert [new["model"] for old, new in zip(before, after, strict=True) if old != new] == ["digits-gru"]
    written = PARTS["samples"].summarise([(cell, {"count": 1}) for cell in after])
    assert written["models"][0] == {"model": "digits-rnn", "count": 1}, "as results/samples.json always was"


MEASURED = [part for part in PARTS if (FOLDER / f"{part}.json").exists()]


@pytest.mark.parametrize("part", MEASURED)
def test_the_committed_results_say_how_they_were_made(part: str) -> None:
    written = json.loads((FOLDER / f"{part}.json").read_text())
    assert written["command"].startswith(f"python -m training report --only {part}")
    assert written["versions"]["torch"]
    assert (FOLDER / f"{part}.json").stat().st_size < 500_000
