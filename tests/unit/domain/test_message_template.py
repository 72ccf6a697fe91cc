"""Templates of webhooks: whatever a message holds, what comes out is the JSON that the template draws.

Nothing is sent, and no mistake shows what the template says.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celsched.domain.message_template import FIELDS, MessageTemplate, TemplateMistake

MESSAGE: dict[str, Any] = {
    "title": 'گزارش "شب" \\ «نوبت»',
    "body": "سطر یک\nسطر دو\t",
    "severity": "critical",
    "resolved": False,
    "firing": 3,
    "group": None,
    "alerts": [{"subject": 'نام "دیگر"'}],
}


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ('{"text": "${title}: ${body}"}', {"text": f"{MESSAGE['title']}: {MESSAGE['body']}"}),
        ('{"a": ${title}, "b": ${resolved}, "c": ${firing}}', {"a": MESSAGE["title"], "b": False, "c": 3}),
        ('{"a": "${resolved} ${firing}"}', {"a": "false 3"}),
        ('{"a": ${group}, "b": "<${group}>", "c": ${reason}}', {"a": None, "b": "<>", "c": None}),
        ('{"a": ${alerts}, "b": "${alerts}"}', {"a": MESSAGE["alerts"], "b": '[{"subject": "نام \\"دیگر\\""}]'}),
        ('{"${severity}": "$$5 \\" ${severity}", "a\\\\": 1}', {"critical": '$5 " critical', "a\\": 1}),
        ('[[${firing}],\n"پایان"]\n', [[3], "پایان"]),
        ("${body}", MESSAGE["body"]),
    ],
)
def test_a_field_is_text_within_a_text_and_a_value_elsewhere(template: str, wanted: Any) -> None:
    assert json.loads(MessageTemplate.parse(template).render(MESSAGE)) == wanted


def test_persian_is_sent_as_it_is_written_and_the_rest_of_the_template_untouched() -> None:
    made = MessageTemplate.parse('  {"متن" :"${title}" }\n').render({"title": "شب"})
    assert made.decode() == '  {"متن" :"شب" }\n'


_EVERYWHERE = MessageTemplate.parse(
    "{" + ", ".join(f'"in {name}": "<${{{name}}}>", "{name}": ${{{name}}}' for name in FIELDS) + "}"
)


@given(st.fixed_dictionaries({name: st.text() | st.integers() | st.booleans() | st.none() for name in FIELDS}))
def test_no_value_breaks_out_of_its_place(message: dict[str, Any]) -> None:
    found = json.loads(_EVERYWHERE.render(message))
    assert {name: found[name] for name in FIELDS} == message
    for name, value in message.items():
        text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
        assert found[f"in {name}"] == f"<{text}>"


@pytest.mark.parametrize(
    ("template", "message", "hint"),
    [
        ('{"a": "${titel}"}', "names `${titel}`, which no message has, in its line 1, column 8", "`title`"),
        ('{"a": "${x}"}', "names `${x}`", "known are incident, severity,"),
        ('{\n  "a": "hunter2 $title"}', "has a `$` that begins no placeholder in its line 2, column 17", "$$"),
        ('{"a": "${}"}', "has a `$` that begins no placeholder in its line 1, column 8", "${title}"),
        ('{"a": "\\${title}"}', "Invalid \\escape", None),
        ('{"a": "\\u123${firing}"}', "Invalid \\uXXXX escape", None),
        ("", "yields no JSON: Expecting value in its line 1, column 1", None),
        ("hunter2 ${title}", "yields no JSON: Expecting value in its line 1, column 1", None),
        ('{"a": ${title},\n "b": "${body}" "hunter2"}', "Expecting ',' delimiter in its line 2, column 17", None),
        ('{"a": ${firing}${over}}', "Expecting ',' delimiter in its line 1, column 16", None),
        ('{"a": 1${firing}}', "Expecting ',' delimiter in its line 1, column 8", None),
        ('{"a": "hunter2', "Unterminated string starting in its line 1, column 7", None),
        ('{"a": "b\nc"}', "Invalid control character in its line 1, column 9", "'''"),
        ('{"a": "${title}",}', "in its line 1, column 1", None),
        ('{"a": 1} {"b": 2}', "Extra data in its line 1, column 10", None),
        ('{"a": NaN, "b": "hunter2"}', "yields no JSON: NaN is not a JSON value", None),
        ("[" * 200_000, "yields no JSON: it is nested too deeply", None),
        ('{"a": "hunter2 \ud800"}', "surrogates not allowed", None),
        ('{"a": "\\u12${resolved}"}', "Invalid \\uXXXX escape", None),
    ],
)
def test_a_mistake_is_told_with_its_place_and_without_the_text(template: str, message: str, hint: str | None) -> None:
    with pytest.raises(TemplateMistake) as caught:
        MessageTemplate.parse(template)
    assert message in caught.value.message
    assert hint is None or hint in str(caught.value.hint)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    assert len(caught.value.message) < 200


def test_its_own_words_are_known_and_not_those_of_the_message() -> None:
    template = MessageTemplate.parse('{"key": "hunter2", "a": ["${title}", "Token hunter3 ${body}", 5], "c": ${title}}')
    assert template.own_words() == {"hunter2", "Token hunter3", "", "5"}
    assert "hunter2" not in repr(template)
