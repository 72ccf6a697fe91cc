"""Silence is what was watched: signs that change, steps that are too long, and what was known before."""

from celsched.domain.silence import Silence


def test_silence_grows_by_what_was_watched_while_the_sign_stays() -> None:
    watch = Silence(20)

    assert [watch.look({"a": 1}, second)["a"] for second in (100.0, 110.0, 125.0)] == [0, 10, 25]
    assert watch.look({"a": 2}, 130.0) == {"a": 0}


def test_one_look_adds_at_most_the_longest_step_and_never_takes_away() -> None:
    watch = Silence(20)

    assert [watch.look({"a": 1}, second)["a"] for second in (0.0, 1000.0, 990.0)] == [0, 20, 20]


def test_only_the_first_look_believes_what_was_known_before() -> None:
    watch = Silence(20)

    assert watch.look({"a": 1, "b": 1}, 0.0, {"a": 50, "b": -3}) == {"a": 50, "b": 0}
    assert watch.look({"a": 1, "c": 1}, 5.0, {"a": 500, "c": 500}) == {"a": 55, "c": 0}


def test_a_look_that_is_taken_again_adds_nothing() -> None:
    watch = Silence(20)

    assert [watch.look({"a": 1}, 7.0, {"a": 30}) for _ in range(2)] == [{"a": 30}, {"a": 30}]


def test_who_is_not_seen_is_forgotten() -> None:
    watch = Silence(20)
    watch.look({"a": 1}, 0.0)
    watch.look({}, 10.0)

    assert watch.look({"a": 1}, 20.0) == {"a": 0}
