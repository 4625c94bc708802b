"""Numbers as people type them: what is accepted, and the sentence for what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.tasks.addition import decode, parse


@pytest.mark.parametrize(
    ("text", "base", "bits"),
    [
        ("01101", 2, [1, 0, 1, 1, 0]),
        ("0", 2, [0]),
        ("000", 2, [0, 0, 0]),
        (" 1111 0000 ", 2, [0, 0, 0, 0, 1, 1, 1, 1]),
        ("1111_0000", 2, [0, 0, 0, 0, 1, 1, 1, 1]),
        ("13", 10, [1, 0, 1, 1]),
        ("0013", 10, [1, 0, 1, 1]),
        ("0", 10, [0]),
        ("1,024", 10, [0] * 10 + [1]),
        ("18,446,744,073,709,551,615", 10, [1] * 64),
    ],
)
def test_what_is_accepted(text: str, base: int, bits: list[int]) -> None:
    assert parse(text, base) == bits


@given(st.integers(0, 2**64 - 1), st.integers(0, 64))
def test_every_number_of_64_bits_is_read_exactly(number: int, width: int) -> None:
    assert decode(parse(str(number), 10)) == number
    assert decode(parse(f"{number:,}", 10)) == number
    bits = parse(f"{number:0{width}b}", 2)
    assert decode(bits) == number
    assert len(bits) == max(width, number.bit_length(), 1)


@pytest.mark.parametrize(
    ("text", "base", "sentence"),
    [
        ("", 2, "Type a binary number, such as 01101."),
        (" _ ", 10, "Type a decimal number, such as 13."),
        ("13", 2, "A binary number has only the digits 0 and 1, not 3; for decimals choose “decimal”."),
        ("0b11", 2, "A binary number has only the digits 0 and 1, not “b”."),
        ("1.5", 10, "A decimal number has only the digits 0 to 9, not “.”."),
        ("1,5", 10, "A decimal number has only the digits 0 to 9, not “,”."),
        ("１", 10, "A decimal number has only the digits 0 to 9, not “１”."),
        ("²", 2, "A binary number has only the digits 0 and 1, not “²”."),
        ("-1", 2, "Type a number from 0 up: the networks know no minus sign."),
        ("−13", 10, "Type a number from 0 up: the networks know no minus sign."),
        ("0" * 65, 2, "This number has 65 bits, and 64 are the most."),
        (str(2**64), 10, "This number is too large: 18,446,744,073,709,551,615 is the largest of 64 bits."),
        ("9" * 10_000, 10, "This number is too large: 18,446,744,073,709,551,615 is the largest of 64 bits."),
    ],
)
def test_what_is_refused_gets_one_sentence(text: str, base: int, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text, base)
    assert str(caught.value) == sentence


@given(st.text(max_size=80), st.sampled_from([2, 10]))
def test_any_text_is_a_number_or_one_sentence(text: str, base: int) -> None:
    try:
        bits = parse(text, base)
    except ValueError as error:
        assert str(error).endswith(".")
        assert "\n" not in str(error)
    else:
        assert 1 <= len(bits) <= 64
        assert set(bits) <= {0, 1}
