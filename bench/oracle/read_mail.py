#!/usr/bin/env python3
"""Reads a mail from standard input with Python's email package and says as JSON what it holds."""
import email
import email.policy
import json
import sys

message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.SMTP)


def shape(part):
    inner = ", ".join(shape(each) for each in part.iter_parts()) if part.is_multipart() else ""
    return part.get_content_type() + (f"({inner})" if inner else "")


answer = {"subject": message["subject"], "to": message["to"], "shape": shape(message), "defects": []}
for part in message.walk():
    answer["defects"] += [repr(defect) for defect in part.defects]
    for value in part.values():
        answer["defects"] += [repr(defect) for defect in getattr(value, "defects", [])]
    kind = part.get_content_type()
    if kind == "text/plain":
        answer["plain"] = part.get_content().replace("\r\n", "\n")
    elif kind == "text/html":
        answer["html"] = part.get_content()
    elif kind == "image/png":
        answer["image_id"] = "cid:" + part["content-id"].strip("<>")
        answer["image_hex"] = part.get_content().hex()
json.dump(answer, sys.stdout)
