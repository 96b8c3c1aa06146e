"""Calls to the queue (SQS) that Amazon writes its notifications to. Unlike the Selling Partner API it wants signed calls."""

import hashlib
import hmac
import json
import re
from urllib.parse import urlsplit

from django.utils import timezone

from orders.sources import http
from orders.sources.reading import first, items, part, read_json, text

SERVICE = "sqs"
MOST = 10  # messages of one call
HIDDEN = 120  # seconds that nobody else gets what was received
REGIONS = {"eu": "eu-west-1", "na": "us-east-1", "fe": "us-west-2"}


class Queue(http.Client):
    """The queue of a connection; use it as a context."""

    def token(self):
        return ""

    def authorize(self, token):
        return {}

    def explain(self, answer):
        try:
            found = read_json(answer.content)
        except ValueError:
            return text(answer.text)[:500]
        return first(part(found, "message"), part(found, "Message"), part(found, "__type"), answer.text)[:500]

    def receive(self, *, most=MOST, hidden=HIDDEN):
        """Some of the messages that wait, hidden from others for a while: ``[{"Body", "ReceiptHandle", ...}]``."""
        asked = {"MaxNumberOfMessages": most, "VisibilityTimeout": hidden, "WaitTimeSeconds": 0}
        return items(part(self._call("ReceiveMessage", asked), "Messages"))

    def forget(self, messages):
        """Take messages out of the queue. What it does not take out comes again, and is known then."""
        entries = [
            {"Id": str(number), "ReceiptHandle": text(message.get("ReceiptHandle"))}
            for number, message in enumerate(messages)
        ]
        self._call("DeleteMessageBatch", {"Entries": entries})

    def _call(self, action, values):
        queue = text(self.options["queue_url"])
        parts = urlsplit(queue)
        url, body = f"{parts.scheme}://{parts.netloc}/", json.dumps({"QueueUrl": queue, **values}).encode()
        found = re.match(r"sqs\.([a-z0-9-]+)\.amazonaws\.", parts.hostname or "")
        headers = sign(
            "POST",
            url,
            body,
            {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"},
            key=self.credentials.get("queue_key", ""),
            secret=self.credentials.get("queue_secret", ""),
            region=found[1] if found else REGIONS[self.options["region"]],
            service=SERVICE,
            now=timezone.now(),
        )
        # Receiving and deleting twice does no harm.
        return self.call("POST", url, is_read=True, content=body, headers=headers)


def sign(method, url, body, headers, *, key, secret, region, service, now):
    """The headers with a signature of version 4, over all of them."""
    parts, moment = urlsplit(url), now.strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, "Host": parts.netloc, "X-Amz-Date": moment}
    canonical = sorted((name.lower(), " ".join(value.split())) for name, value in signed.items())
    names = ";".join(name for name, _value in canonical)
    request = "\n".join(
        [
            method,
            parts.path or "/",
            "&".join(sorted(parts.query.split("&"))),
            *(f"{name}:{value}" for name, value in canonical),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    words = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    secret_of = f"AWS4{secret}".encode()
    for step in (moment[:8], region, service, "aws4_request"):
        secret_of = hmac.digest(secret_of, step.encode(), "sha256")
    signature = hmac.new(secret_of, words.encode(), hashlib.sha256).hexdigest()
    proof = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**signed, "Authorization": proof}
