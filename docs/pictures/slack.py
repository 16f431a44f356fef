"""Lays Slack messages out as Slack does, as HTML: one page for each name in the given JSON.

  slack.py messages.json FOLDER

Reads {name: [payload, ...]}: the first payload is the message, the others are replies in its thread. A file
FOLDER/chart.png is shown in the thread of "firing"."""
import html
import json
import pathlib
import re
import sys
import time

STYLE = """
body { margin: 0; background: #fff; color: #1d1c1d; font: 15px/1.467 Lato, "Noto Sans", "DejaVu Sans", sans-serif; }
#page { padding: 14px 20px 16px; }
.channel { font-weight: 900; font-size: 18px; border-bottom: 1px solid #ddd; margin: 0 -20px 12px; padding: 0 20px 10px; }
.message { display: flex; gap: 8px; margin-bottom: 10px; }
.face { flex: none; width: 36px; height: 36px; border-radius: 6px; background: #1264a3; color: #fff; font-weight: 900;
  font-size: 20px; text-align: center; line-height: 36px; }
.body { flex: 1; min-width: 0; }
.who { font-weight: 900; } .app { background: #ddd; border-radius: 2px; font-size: 10px; font-weight: 700; padding: 1px 3px;
  margin: 0 4px; color: #616061; vertical-align: 1px; } .when { color: #616061; font-size: 12px; }
.header { font-weight: 900; font-size: 18px; line-height: 1.33; margin: 8px 0; }
.section { margin: 8px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 20px; margin: 8px 0; }
.fields div { white-space: pre-wrap; overflow-wrap: anywhere; }
.context { color: #616061; font-size: 13px; line-height: 1.38; margin: 8px 0; overflow-wrap: anywhere; }
code { font: 12px/1.5 "DejaVu Sans Mono", monospace; color: #e01e5a; background: #f8f8f8; border: 1px solid #dcdcdc;
  border-radius: 3px; padding: 2px 3px 1px; overflow-wrap: anywhere; }
a { color: #1264a3; text-decoration: none; } b { font-weight: 900; } hr { border: 0; border-top: 1px solid #ddd; }
.thread { border-left: 2px solid #ddd; margin: 4px 0 0 17px; padding-left: 27px; }
.thread .label { color: #1264a3; font-size: 13px; font-weight: 700; margin-bottom: 8px; }
img { max-width: 100%; border: 1px solid #ddd; border-radius: 8px; margin-top: 6px; }
"""
NOW = 1795662840


def mrkdwn(text):
    """Slack's own marks, in the order in which Slack reads them; the text is escaped already."""
    kept = []

    def keep(markup):
        kept.append(markup)
        return f"\0{len(kept) - 1}\0"

    def date(match):
        moment = time.gmtime(int(match[1]))
        day = time.strftime("%b %-d", moment) if abs(int(match[1]) - NOW) > 86400 else "Today"
        return keep(f"{day} {time.strftime('%H:%M', moment)}")

    text = re.sub(r"`([^`\n]+)`", lambda match: keep(f"<code>{match[1]}</code>"), text)
    text = re.sub(r"<!date\^(\d+)\^[^|>]*\|[^>]*>", date, text)
    text = re.sub(r"<(https?://[^|>]+)\|([^>]+)>", lambda match: keep(f'<a href="{match[1]}">{match[2]}</a>'), text)
    for mark, tag in (("*", "b"), ("_", "i"), ("~", "s")):
        mark = re.escape(mark)
        text = re.sub(rf"(?<![\w{mark}]){mark}(\S(?:[^\n]*?\S)?){mark}(?![\w{mark}])", rf"<{tag}>\1</{tag}>", text)
    return re.sub("\0(\\d+)\0", lambda match: kept[int(match[1])], text)


def block(one):
    if one["type"] == "header":
        return f'<div class="header">{html.escape(one["text"]["text"])}</div>'
    if one["type"] == "divider":
        return "<hr>"
    if one["type"] == "context":
        elements = " ".join(mrkdwn(each["text"]) for each in one["elements"])
        return f'<div class="context">{elements}</div>'
    shown = ""
    if "text" in one:
        shown += f'<div class="section">{mrkdwn(one["text"]["text"])}</div>'
    if "fields" in one:
        fields = "".join(f"<div>{mrkdwn(each['text'])}</div>" for each in one["fields"])
        shown += f'<div class="fields">{fields}</div>'
    return shown


def message(content, when):
    return (f'<div class="message"><div class="face">γ</div><div class="body"><span class="who">couplingd</span>'
            f'<span class="app">APP</span><span class="when">{when}</span>{content}</div></div>')


def page(name, payloads, chart):
    shown = [message("".join(map(block, json.loads(payload)["blocks"])), "03:14") for payload in payloads]
    thread = shown[1:]
    if name == "firing" and chart.exists():
        thread.append(message(f'<br><span class="when">{chart.name}</span><br><img src="{chart.name}">', "03:14"))
    body = shown[0]
    if thread:
        count = "1 reply" if len(thread) == 1 else f"{len(thread)} replies"
        body += f'<div class="thread"><div class="label">{count}</div>'
        body += "".join(thread) + "</div>"
    return (f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style><div id="page">'
            f'<div class="channel"># training-alerts</div>{body}</div>'
            "<script>document.body.dataset.height = Math.ceil(document.getElementById('page').offsetHeight)</script>")


def main():
    source, folder = map(pathlib.Path, sys.argv[1:])
    for name, payloads in json.loads(source.read_text()).items():
        (folder / f"{name}.html").write_text(page(name, payloads, folder / "chart.png"))


main()
