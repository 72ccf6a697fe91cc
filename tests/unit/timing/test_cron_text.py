"""The grammar R4-R13: what is read, what is refused, and what the refusal says."""

import pytest

from celsched.errors import InvalidRule
from celsched.timing.cron import Cron
from celsched.timing.cron_fields import CronFields
from celsched.timing.cron_text import parse_cron


def shape(fields: CronFields) -> tuple[object, ...]:
    return fields.minutes, fields.hours, fields.days, fields.follows


SAME = [
    ("5-5 2-2 * * 3-3", "5 2 * * 3"),
    ("5-5/7 2 * * *", "5 2 * * *"),
    ("*/20 * * * *", "*,0 * * * *"),
    ("0/20 1 * * *", "0,20,40 1 * * *"),
    ("10-30/10 1 * * *", "10,20,30 1 * * *"),
    ("50/15 1 * * *", "50 1 * * *"),
    ("0 1 * * */2", "0 1 * * *,0,2,4,6"),
    ("0 1 * * 1/2", "0 1 * * 1,3,5,0"),
    ("0 1 * * FRI-SUN", "0 1 * * 5,6,0"),
    ("0 1 * * fri-7", "0 1 * * 5,6,7"),
    ("0 1 * * SUN-TUE", "0 1 * * 0,1,2"),
    ("0 1 * * SUN-SUN", "0 1 * * 0"),
    ("0 1 * * 0-SUN", "0 1 * * 0"),
    ("0 1 * * 7-SUN", "0 1 * * 0"),
    ("0 1 * * 0-7", "0 1 * * 0-6"),
    ("0 1 * * 7#2", "0 1 * * SUN#2"),
    ("0 1 * * MON-5", "0 1 * * 1-5"),
    ("0 1 1 3-SEP *", "0 1 1 3-9 *"),
    ("0 1 1 JAN,Dec *", "0 1 1 1,12 *"),
    ("0 1 l * *", "0 1 L * *"),
    (" \t0  1 \t* * * ", "0 1 * * *"),
    ("05 01 * * *", "5 1 * * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@Annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@DAILY", "0 0 * * *"),
    (" @midnight ", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
]


@pytest.mark.parametrize(("expression", "plain"), SAME)
def test_means_the_same(expression: str, plain: str) -> None:
    ours, theirs = parse_cron(expression), parse_cron(plain)
    if "*," in plain:  # only the set is compared: such a list matches more than the step does
        theirs = parse_cron(plain.replace("*,0 ", "0,20,40 ").replace("*,0,2,4,6", "0,2,4,6"))
        assert (ours.minutes, ours.days.weekdays) == (theirs.minutes, theirs.days.weekdays)
    else:
        assert shape(ours) == shape(theirs)


@pytest.mark.parametrize(
    ("expression", "follows", "both"),
    [
        ("*/15 2 * * *", True, True),
        ("0 */2 * * *", True, True),
        ("0-59 2 * * *", False, True),
        ("0 0-23 * * *", False, True),
        ("0/15 2 * * *", False, True),
        ("0 0 13 * FRI", False, False),
        ("0 0 */2 * MON", False, True),
        ("0 0 1-7 * */7", False, True),
        ("0 0 1-31 * MON", False, False),
        ("0 0 L * MON#1", False, False),
    ],
)
def test_the_text_decides(expression: str, follows: bool, both: bool) -> None:
    fields = parse_cron(expression)
    assert (fields.follows, fields.days.both) == (follows, both)


# expression, field, part of the message, part of the hint
REFUSED = [
    ("", "cron", "5 fields, this one has 0", "minute, hour"),
    ("* * * *", "cron", "has 4", "minute, hour"),
    ("0 * * * * *", "cron", "has 6", "seconds and years"),
    ("0 0 * * * * 2026", "cron", "has 7", "seconds and years"),
    ("0 1 *\n* * *", "day of month", "this is not a value", None),
    ("0 1 * * *\n", "day of week", "this is not a value", None),
    ("60 * * * *", "minute", '"60": 60 is out of range, the field takes 0-59', None),
    ("0 24 * * *", "hour", "0-23", None),
    ("0 0 0 * *", "day of month", "1-31", None),
    ("0 0 32 * *", "day of month", "1-31", None),
    ("0 0 * 13 *", "month", "1-12", None),
    ("0 0 * 0 *", "month", "1-12", None),
    ("0 0 * * 8", "day of week", "0-7", None),
    ("0 0 * * 1-8", "day of week", "0-7", None),
    ("22-2 * * * *", "minute", "backwards", "22-59,0-2"),
    ("0 22-2 * * *", "hour", '"22-2": the range runs backwards', "write a list: 22-23,0-2"),
    ("0 23-0 * * *", "hour", "backwards", "write a list: 23,0"),
    ("0 22-2/2 * * *", "hour", "backwards", "the values as a list"),
    ("0 0 * * FRI-MON", "day of week", "backwards", "FRI-SAT,SUN-MON"),
    ("0 0 * * SAT-SUN,FRI-MON", "day of week", '"FRI-MON"', "FRI-SAT,SUN-MON"),
    ("0 0 * * 5-1", "day of week", "backwards", "5-6,0-1"),
    ("0 0 1 NOV-FEB *", "month", "backwards", "NOV-DEC,JAN-FEB"),
    ("*/0 * * * *", "minute", "a step is 1 or more", None),
    ("0-10/0 * * * *", "minute", "a step is 1 or more", None),
    ("*/ * * * *", "minute", "not a value", None),
    ("*/-5 * * * *", "minute", "not a value", None),
    ("+5 * * * *", "minute", "not a value", None),
    ("1_0 * * * *", "minute", "not a value", None),
    ("1, * * * *", "minute", "empty", None),
    (",1 * * * *", "minute", "empty", None),
    ("1,,2 * * * *", "minute", "empty", None),
    ("*-5 * * * *", "minute", "not a value", None),
    ("5-* * * * *", "minute", "not a value", None),
    ("1-2-3 * * * *", "minute", "not a value", None),
    ("*/5/5 * * * *", "minute", "not a value", None),
    ("** * * * *", "minute", "not a value", None),
    ("۵ * * * *", "minute", "ASCII", "0-9"),
    ("५ * * * *", "minute", "ASCII", "0-9"),
    ("² * * * *", "minute", "ASCII", "0-9"),
    ("mon * * * *", "minute", '"mon" is not a value', "takes 0-59"),
    ("0 0 * * JAN", "day of week", '"jan" is not a value', "sun, mon"),
    ("0 0 * MON *", "month", '"mon" is not a value', "jan, feb"),
    ("0 0 * * monday", "day of week", "not a value", None),
    ("0 0 ? * MON", "day of month", "?", "write *"),
    ("0 0 * * ?", "day of week", "?", "write *"),
    ("H * * * *", "minute", "hashed", "jitter"),
    ("H/15 * * * *", "minute", "hashed", "jitter"),
    ("R * * * *", "minute", "random", "jitter"),
    ("R(0-5) * * * *", "minute", "random", "jitter"),
    ("5~10 * * * *", "minute", "random", "jitter"),
    ("0 0 15W * *", "day of month", "nearest weekday", None),
    ("0 0 LW * *", "day of month", "stands alone", "lists are fine"),
    ("0 0 L-3 * *", "day of month", "stands alone", "lists are fine"),
    ("0 0 L/2 * *", "day of month", "stands alone", "lists are fine"),
    ("0 0 L5 * *", "day of month", "stands alone", "lists are fine"),
    ("0 0 1-L * *", "day of month", "stands alone", "lists are fine"),
    ("0 0 * * 5L", "day of week", "last day of the month", "in day of month"),
    ("0 0 * * FRIL", "day of week", "last day of the month", "in day of month"),
    ("0 0 * * L5", "day of week", "last day of the month", "in day of month"),
    ("0 0 * * L", "day of week", "last day of the month", "in day of month"),
    ("L * * * *", "minute", "last day of the month", "in day of month"),
    ("0 0 * * MON-FRI#1", "day of week", "joins one day", "MON#1"),
    ("0 0 * * MON#0", "day of week", "1 to 5", "MON#1"),
    ("0 0 * * MON#6", "day of week", "1 to 5", "MON#1"),
    ("0 0 * * 8#1", "day of week", "0-7", None),
    ("0 0 1#1 * *", "day of month", "day of week only", None),
    ("@reboot", "cron", "@reboot is not supported", "@daily"),
    ("@every 5m", "cron", "not supported", "interval"),
    ("@ daily", "cron", "not supported", "@daily"),
    ("0 0 30 2 *", "day of month", "no date ever", None),
    ("0 0 31 4,6,9,11 *", "day of month", "no date ever", None),
    ("0 0 30 2 */2", "day of month", "no date ever", None),
    ("* * */100 * MON#4", "day of month", "no date ever", None),
    ("*" * 201, "cron", "at most 200", None),
]


@pytest.mark.parametrize(("expression", "field", "message", "hint"), REFUSED)
def test_refusal_names_field_item_and_reason(expression: str, field: str, message: str, hint: str | None) -> None:
    with pytest.raises(InvalidRule) as caught:
        Cron(expression)
    assert caught.value.field == field
    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


def test_an_expression_is_text() -> None:
    with pytest.raises(InvalidRule, match="is text, not 5"):
        parse_cron(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "expression", ["0 0 31 2 MON", "0 0 29 2 *", "0 0 29 2 */7", "0 0 */28 2 MON#5", "0 0 * * MON#5"]
)
def test_rare_dates_are_accepted(expression: str) -> None:
    assert parse_cron(expression).days.possible


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("*/90 * * * *", 'minute "*/90": a step of 90 is longer than the range, so this is just 0'),
        ("0 */24 * * *", 'hour "*/24": a step of 24'),
        ("0 0 */40 * *", "so this is just 1"),
        ("50/15 * * * *", "so this is just 50"),
    ],
)
def test_a_step_longer_than_its_field_is_worth_a_warning(expression: str, words: str) -> None:
    (warning,) = Cron(expression).warnings()
    assert words in warning


@pytest.mark.parametrize("expression", ["*/59 * * * *", "5-5/7 * * * *", "0 2 * * *"])
def test_no_warning_without_a_reason(expression: str) -> None:
    assert Cron(expression).warnings() == ()
