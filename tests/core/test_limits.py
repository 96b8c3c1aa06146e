import datetime

import pytest

from fulfillment.core.limits import hit, hits
from tests.factories.core import api_token

pytestmark = pytest.mark.django_db
START = datetime.datetime(2026, 3, 2, 12, 0, 10, tzinfo=datetime.UTC)


def test_hits_are_counted_per_key_and_window(time_machine):
    time_machine.move_to(START, tick=False)

    assert [hit("a", 60), hit("a", 60), hit("b", 60)] == [(1, 50), (2, 50), (1, 50)]
    assert hits("a", 60) == (2, 50)

    time_machine.shift(60)
    assert hits("a", 60) == (0, 50)
    assert hit("a", 60) == (1, 50)


def test_caller_over_the_limit_is_told_when_to_come_again(client, settings, time_machine):
    settings.API_REQUESTS_PER_MINUTE = 2
    time_machine.move_to(START, tick=False)
    headers = {"Authorization": f"Bearer {api_token()}"}
    other = {"Authorization": f"Bearer {api_token()}"}

    answers = [client.get("/api/orders", headers=headers) for _time in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert (answers[2]["Retry-After"], answers[2]["RateLimit-Reset"]) == ("50", "50")
    assert answers[2].json()[0]["summary"] == "THROTTLED"
    assert client.get("/api/orders", headers=other).status_code == 200


def test_what_is_not_allowed_counts_too(client, settings, time_machine):
    settings.API_REQUESTS_PER_MINUTE = 1
    time_machine.move_to(START, tick=False)
    headers = {"Authorization": f"Bearer {api_token('READ')}"}

    answers = [client.post("/api/orders", headers=headers) for _time in range(2)]

    assert [answer.status_code for answer in answers] == [403, 429]
    assert answers[0]["RateLimit-Remaining"] == "0"
