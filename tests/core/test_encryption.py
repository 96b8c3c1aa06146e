import pytest

from fulfillment.core.encryption import UnreadableSecret, decrypt, encrypt


def test_a_secret_is_stored_unreadable_and_read_again():
    stored = encrypt("Bearer abc")

    assert "abc" not in stored
    assert decrypt(stored) == "Bearer abc"
    assert encrypt("Bearer abc") != stored


def test_a_former_key_reads_until_it_is_taken_out(settings):
    stored = encrypt("Bearer abc")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next key of this installation, long enough for everybody"

    assert decrypt(stored) == "Bearer abc"

    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(UnreadableSecret):
        decrypt(stored)
