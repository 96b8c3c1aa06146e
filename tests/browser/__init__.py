import pytest

# What a page got wrong is then printed, not just that it did.
pytest.register_assert_rewrite("tests.browser.phone")
