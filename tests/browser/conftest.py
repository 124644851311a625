"""Engines are closed when the last test is done."""

import pytest

from tests.helpers.javascript import close_engines


@pytest.fixture(scope="session", autouse=True)
def _engines_are_closed():
    yield
    close_engines()
