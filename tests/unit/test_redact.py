"""What is masked, what is left alone, and that masking is idempotent and linear."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celsched.redact import MASK, Redactor

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nsecondline\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=hunter2", "password=***"),
        ("password = hunter2 and more", "password = *** and more"),
        ("DB_PASSWORD: hunter2, user: ali", "DB_PASSWORD: ***, user: ali"),
        ('{"password": "hun\\"ter2", "user": "ali"}', '{"password": "***", "user": "ali"}'),
        ("{'api_key': 'k1', 'n': 1}", "{'api_key': '***', 'n': 1}"),
        ('"{\\"token\\": \\"abc\\", \\"n\\": 1}"', '"{\\"token\\": \\"***\\", \\"n\\": 1}"'),
        ("connect(password='a b', host='h')", "connect(password='***', host='h')"),
        ("connect(password=b'raw', host='h')", "connect(password=b'***', host='h')"),
        ("Login(password=SecretThing('x1'), n=2)", "Login(password=***, n=2)"),
        ('environ["AWS_SECRET_ACCESS_KEY"] = "wJalr"', 'environ["AWS_SECRET_ACCESS_KEY"] = "***"'),
        ("tokens: ['a', 'b'] left", "tokens: *** left"),
        ("X-API-Key: abc", "X-API-Key: ***"),
        ("the API key: abc", "the API key: ***"),
        ("GET /x?access_token=abc&n=1", "GET /x?access_token=***&n=1"),
        ("Authorization: Digest username=x, response=y", "Authorization: ***"),
        ("Cookie: a=b; session=xyz", "Cookie: ***"),
        ("sent header Authorization=Bearer abc.def", "sent header Authorization=Bearer ***"),
        ("using Bearer eyabc123.def456", "using Bearer ***"),
        ("using Basic dXNlcjpwYXNz", "using Basic ***"),
        ("mysql --password hunter2 -h db", "mysql --password *** -h db"),
        ("redis://:hunter2@host:6379/0", "redis://:***@host:6379/0"),
        ("postgresql+psycopg://ali:p@ss@h/db?x=1", "postgresql+psycopg://ali:***@h/db?x=1"),
        (f"key:\n{PEM}\nend", "key:\n-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nend"),
        ("id AKIAIOSFODNN7EXAMPLE here", "id *** here"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123", "***"),
        ("گذرواژه password=رمزمن است", "گذرواژه password=*** است"),
    ],
)
def test_secret_is_masked_and_the_rest_kept(text: str, masked: str) -> None:
    assert Redactor().text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "پاکسازی فایل‌های موقت: ۲۴ ساعت = انجام شد",
        "Basic authentication is required",
        "the bearer collapsed",
        "password reset mail sent",
        "password=None, token=null",
        'password=""',
        "https://example.org:8080/path@v1",
        "12:30:45 INFO done=3 total=5",
        "--password --verbose",
    ],
)
def test_text_without_a_secret_is_unchanged(text: str) -> None:
    assert Redactor().text(text) == text


def test_words_of_the_operator_count_in_texts_and_keys() -> None:
    redactor = Redactor(["رمز", "national id"])
    assert redactor.text("رمز: ۱۲۳۴") == "رمز: ***"
    assert redactor.text("the national id: 001") == "the national id: ***"
    assert redactor.value({"رمز عبور": "x", "nationalId": 5}) == {"رمز عبور": MASK, "nationalId": MASK}


def test_value_masks_by_key_and_inside_texts() -> None:
    given_value = {
        "user": "ali",
        "Password": "x",
        "token": None,
        "secret": "",
        "has_token": True,
        "nested": [{"api-key": {"a": 1}}, "url redis://u:p@h", 7],
    }
    assert Redactor().value(given_value) == {
        "user": "ali",
        "Password": MASK,
        "token": None,
        "secret": "",
        "has_token": True,
        "nested": [{"api-key": MASK}, "url redis://u:***@h", 7],
    }


def test_value_deeper_than_any_honest_one_is_cut_and_not_an_error() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    assert MASK in str(Redactor().value(deep))


_PIECES = """password token API key = : " ' \\ *** [ ] { } ( ) , & -- / @ . ; x b None رمز Cookie sk- eyJ abcdefg1
redis:// AKIAIOSFODNN7EXAMPLE Bearer basic"""
_MORE = [" ", "\n", "\u200c", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(_PIECES.split() + _MORE), max_size=14).map("".join) | st.text(max_size=60))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = Redactor().text(text)
    assert Redactor().text(once) == once


_SIZE = 200_000


_HOSTILE = """a|password|password=|password="|token: [|-|--|x://a:|://|Bearer a|-----BEGIN PRIVATE KEY-----|eyJ
|eyJaaaaaaaa.|\\|"|key |a b|password=\\|Cookie:| |ن‌|sk-|b'|@|u:p@"""


@pytest.mark.parametrize("piece", [*_HOSTILE.split("|"), "\n"])
def test_long_hostile_text_takes_linear_time(piece: str) -> None:
    redactor, text = Redactor(), piece * (_SIZE // len(piece))
    began = time.process_time()
    redactor.text(text)
    assert time.process_time() - began < 2.0, "200 kB of this take longer than 2 s"
