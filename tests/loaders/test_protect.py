"""Card data on its way in: tokens, the key, masking."""

from __future__ import annotations

import hmac
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import UsageError
from loaders.protect import (
    KeyStore,
    Tokenizer,
    holds_card_number,
    mask_card_numbers,
    mask_sensitive_line,
    passes_luhn,
)
from tests.loaders.made import card, card_number

pytestmark = pytest.mark.unit
_LETTER = dict(zip("abcdef0123456789", "abcdefghijklmnop", strict=True))


def test_a_token_is_the_same_for_the_same_number_and_key_only() -> None:
    one, two = Tokenizer(b"k" * 32), Tokenizer(b"l" * 32)
    assert one.token("4111") == one.token("4111") != one.token("4112")
    assert one.token("4111") != two.token("4111")
    assert len(one.token("4111")) == 64


@given(st.integers(10**12, 10**19 - 1).map(str), st.binary(min_size=16, max_size=32))
def test_a_token_holds_no_digit_that_a_scan_could_take_for_a_card_number(number: str, key: bytes) -> None:
    tokenizer = Tokenizer(key)
    plain = hmac.new(key, number.encode(), "sha256").hexdigest()
    assert tokenizer.token(number) == "".join(_LETTER[digit] for digit in plain)
    assert set(tokenizer.token(number) + tokenizer.fingerprint) <= set("abcdefghijklmnop")


def test_the_first_key_is_made_private_and_stays(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "deep" / "pan.key", {})
    first = store.tokenizer(None)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert store.tokenizer(first.fingerprint).key == first.key
    assert [path.name for path in store.path.parent.iterdir()] == ["pan.key"]


def test_a_missing_key_of_a_warehouse_with_tokens_is_an_error_not_a_new_key(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "pan.key", {})
    with pytest.raises(UsageError, match="missing"):
        store.tokenizer("fingerprint of the lost key")
    assert not store.path.exists()


def test_another_key_than_the_warehouse_was_loaded_with_is_an_error(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "pan.key", {"REVOPS_PAN_KEY": "a" * 32})
    with pytest.raises(UsageError, match="not the one"):
        store.tokenizer(Tokenizer(b"b" * 32).fingerprint)


def test_the_environment_comes_before_the_key_file(tmp_path: Path) -> None:
    KeyStore(tmp_path / "pan.key", {}).tokenizer(None)
    assert KeyStore(tmp_path / "pan.key", {"REVOPS_PAN_KEY": "a" * 32}).tokenizer(None).key == b"a" * 32


def test_a_short_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        KeyStore(tmp_path / "pan.key", {"REVOPS_PAN_KEY": "hunter2"}).tokenizer(None)
    assert "hunter2" not in str(caught.value)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pan.key"
    path.write_text("k" * 40)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        KeyStore(path, {}).tokenizer(None)


def test_the_key_is_in_no_representation(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "pan.key", {"REVOPS_PAN_KEY": "s3cret" * 6})
    assert "s3cret" not in repr(store) + repr(store.tokenizer(None))


@pytest.mark.parametrize("length", range(13, 20))
@pytest.mark.parametrize("separator", ["", " ", "-"])
def test_a_card_number_keeps_its_last_four_digits(length: int, separator: str) -> None:
    number = card_number(length, length)
    written = separator.join(number[i : i + 4] for i in range(0, length, 4))
    masked = mask_card_numbers(f"a{written}b")
    assert masked.replace(separator or " ", "") == f"a{'*' * (length - 4)}{number[-4:]}b"
    assert sum(c.isdigit() for c in masked) == 4
    assert holds_card_number(f"x {written} y")


def test_digits_that_are_no_card_number_stay() -> None:
    text = f"7475327 2010-01-01 00:01:00 {card_number(3, 13, luhn=False)} 555-0100"
    assert not holds_card_number(text)
    assert mask_card_numbers("7475327,2010-01-01 00:01:00") == "7475327,2010-01-01 00:01:00"


@given(st.text("0123456789 -,a", max_size=60))
def test_nothing_that_passes_luhn_is_left_after_masking(text: str) -> None:
    masked = mask_card_numbers(text).replace(" ", "").replace("-", "")
    for run in "".join(c if c.isdigit() else "\n" for c in mask_card_numbers(text)).split():
        for length in range(13, 20):
            for start in range(len(run) - length + 1):
                assert not passes_luhn(run[start : start + length]), masked


@pytest.mark.parametrize("pan", [card_number(5), card_number(6, luhn=False), "4.34468E+15"])
@pytest.mark.parametrize("cvv", ["987", "9876", "7"])
def test_a_line_of_a_card_file_shows_no_number_and_no_security_code(pan: str, cvv: str) -> None:
    line = card(pan=pan, cvv=cvv)
    for damaged in (line, line + ",", line.replace(",", ";"), line.replace("Visa,", "Visa,,"), '"' + line):
        masked = mask_sensitive_line(damaged)
        assert pan not in masked
        fields = masked.replace(";", ",").split(",")
        assert cvv not in fields
        assert "12/2022" in masked
