"""The addresses that need no token, for the document: sign-in, and whether the system is up."""

from .schema import Integer, Object, Text, boolean

short, long = Text(255), Text(10_000)
status = Object({"status": Text(choices=["UP", "DEGRADED", "DOWN"])}, closed=True, name="Status")
sign_in = Object(
    {"email": short, "password": short}, {"returnSecureToken": boolean}, name="SignInWithPassword"
)
signed_in = Object(
    {
        "idToken": long,
        "refreshToken": long,
        "expiresIn": short,
        "email": short,
        "localId": short,
        "registered": boolean,
    },
    name="SignedIn",
)
refresh = Object(
    {"grant_type": Text(choices=["refresh_token"]), "refresh_token": long}, name="RefreshTokenGrant"
)
refreshed = Object(
    {
        "id_token": long,
        "access_token": long,
        "refresh_token": long,
        "expires_in": short,
        "token_type": Text(choices=["Bearer"]),
        "user_id": short,
    },
    name="RefreshedToken",
)
sign_in_error = Object({"error": Object({"code": Integer(), "message": short})}, name="SignInError")

# (path, method): (name, summary, body, {status: part})
OPERATIONS = {
    ("/api/status", "get"): (
        "getStatus",
        "UP, DEGRADED while no worker is alive, DOWN without a database",
        None,
        {200: status, 503: status},
    ),
    ("/v1/accounts:signInWithPassword", "post"): (
        "signInWithPassword",
        "A token for an hour and a refresh token, for the password of a person; the key in the query is not read",
        sign_in,
        {200: signed_in, 400: sign_in_error, 429: sign_in_error},
    ),
    ("/v1/token", "post"): (
        "refreshToken",
        "The next token for a refresh token, as often as it is good",
        refresh,
        {200: refreshed, 400: sign_in_error},
    ),
}
