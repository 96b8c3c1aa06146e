"""The API as a program calls it."""

import json

from tests.factories.core import api_token


class Api:
    """``api.post(path, data)`` and the like with a bearer token, by default one of all scopes."""

    def __init__(self, client, token=None):
        self.client, self.token = client, token or api_token()

    def call(self, method, path, data=None, query=None, **headers):
        body = data if isinstance(data, (bytes, str)) else json.dumps(data)
        return self.client.generic(
            method,
            path,
            b"" if data is None else body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.token}", **headers},
            query_params=query,
        )

    def get(self, path, query=None, **headers):
        return self.call("GET", path, query=query, **headers)

    def post(self, path, data, **headers):
        return self.call("POST", path, data, **headers)

    def put(self, path, data, **headers):
        return self.call("PUT", path, data, **headers)

    def patch(self, path, data, **headers):
        return self.call("PATCH", path, data, **headers)

    def delete(self, path, **headers):
        return self.call("DELETE", path, **headers)


def described(response):
    """The descriptions of the errors in an answer."""
    return [error["description"] for error in response.json()]
