#!/usr/bin/env python3
"""Standard Webhooks' reference library (PyPI: standardwebhooks) against our signatures.

verify       reads {"secrets": […], "headers": {…}, "body": "…"}, one JSON a line, from standard input, and verifies each
             with every secret; then each with something altered, which must fail. Prints a table; exit 1 where one differs.
fixture      writes tests/alerts/data/signatures.json: messages with the signatures that the library gives them.
"""
import base64
import datetime
import json
import pathlib
import random
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def verifies(secret, headers, body):
    try:
        Webhook(secret).verify(body.encode(), headers, json_parse=False)
        return True
    except WebhookVerificationError:
        return False


def altered(message, index):
    """The message with one thing changed: body, id, time, signature, or the secret."""
    headers, body = dict(message["headers"]), message["body"]
    secret = message["secrets"][0]
    what = ["body", "id", "time", "signature", "secret"][index % 5]
    if what == "body":
        body = body[:-1] + " }"
    elif what == "id":
        headers["webhook-id"] += "0"
    elif what == "time":
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)
    elif what == "signature":
        first = headers["webhook-signature"].split(" ")[0]
        headers["webhook-signature"] = first[:4] + ("B" if first[3:4] == "A" else "A") + first[4:-1] + "="
    else:
        secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    return what, secret, headers, body


def verify():
    rows = {}
    for index, line in enumerate(sys.stdin):
        message = json.loads(line)
        name = f"{len(message['secrets'])} secret" + ("s" if len(message["secrets"]) > 1 else "")
        row = rows.setdefault(name, [0, 0])
        for secret in message["secrets"]:
            row[0] += 1
            row[1] += verifies(secret, message["headers"], message["body"])
        what, secret, headers, body = altered(message, index)
        row = rows.setdefault(f"altered: {what}", [0, 0])
        row[0] += 1
        row[1] += not verifies(secret, headers, body)
    print(f"{'messages':<22}{'checked':>9}{'as wanted':>11}")
    for name, (checked, good) in sorted(rows.items()):
        print(f"{name:<22}{checked:>9}{good:>11}")
    sys.exit(0 if rows and all(checked == good for checked, good in rows.values()) else 1)


def fixture():
    draw = random.Random(7)
    cases = []
    for size in [24, 32, 33, 48, 64]:
        secret = "whsec_" + base64.b64encode(draw.randbytes(size)).decode()
        seconds = 1795442700 + draw.randrange(10**6)
        body = json.dumps({"γ": draw.random(), "text": "ünïcödé \\ \" " * size}, ensure_ascii=False)
        identifier = draw.randbytes(16).hex()
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        cases.append({"secret": secret, "id": identifier, "timestamp": seconds, "body": body,
                      "signature": Webhook(secret).sign(identifier, moment, body)})
    path = pathlib.Path(__file__).parents[2] / "tests/alerts/data/signatures.json"
    path.write_text(json.dumps({"made_by": "bench/oracle/signatures.py fixture, standardwebhooks 1.1.0",
                                "cases": cases}, indent=1, ensure_ascii=False) + "\n")


{"verify": verify, "fixture": fixture}[sys.argv[1]]()
