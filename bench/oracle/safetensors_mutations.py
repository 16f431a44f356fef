"""Safetensors files that are almost right: a sound file drawn at random, then one structural mutation, or damage to its bytes.

A header is kept as a list of (name, entry) so that a name can stand twice, an entry as a list of (field, spelled JSON).
"""

import json
import re
import struct

BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
        "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64,
        "I64": 64, "U64": 64}
NAMES = ["a", "model.embed_tokens.weight", "", "ключ", "漢字", "😀", "a b", "__metadata", "__Metadata__", "x" * 300, "dtype", "\x7f", "é", "e\u0301"]
NUMBERS = ["-1", "-0", "-8", "0.0", "8.0", "8e0", "1e1", "0.5", "08", "+8", "0x8", "8.", ".5", "1_0", "NaN", "Infinity", "-Infinity",
           "4294967295", "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551615",
           "18446744073709551616", "1" + "0" * 40, '"8"', "null", "true", "[8]", "{}", "", "8 8"]
DTYPES = ['"f32"', '"F31"', '"FLOAT"', '""', '"F32 "', '"F32\\u0000"', '"\\u0046\\u0033\\u0032"', "32", "null", '["F32"]', '{"F32":null}', "F32"]
STRINGS = [b'"\\u0061"', b'"\\ud83d\\ude00"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\\x41"', b'"\\/"', b'"\\u00"', b'"\\uD83Dx"',
           b'"\n"', b'"\x01"', b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b'"\\"', b"'a'", b"a", b'"\x7f"',
           b'"\xef\xbf\xbf"', b'"\\b\\f\\n\\r\\t\\\\\\""', b'"\\u"', b'"\\U0041"', b'"unfinished']
METADATA = ['{"k":1}', '{"k":null}', '{"k":["v"]}', '{"k":{"n":"v"}}', '{"k":true}', "null", "[]", '"text"', "3", '{"k":"1","k":"2"}', '{"":""}',
            '{"k":"\\ud800"}', '{"k":"v",}', '[["k","v"]]', '{"format":"pt"}', '{"dtype":"F32","shape":"x","data_offsets":"y"}',
            '{"dtype":"F32","shape":[],"data_offsets":[0,4]}']
EXTRA = ["1", "null", '"s"', "[]", "{}", "[1,[2,[3]]]", '{"a":{"b":[null,true,-1.5e300]}}', "1e400", "-1e-400", "123456789012345678901234567890",
         "[" * 100 + "]" * 100, "[" * 200 + "]" * 200, '{"a":' * 140 + "1" + "}" * 140, "[1,]", "nul", '{"x":1,"x":2}']
TRAILING = [b"\0", b"\0" * 8, b"\n", b"\t\r\n ", b"{}", b"x", b",", b"\0{}", b" \0", b"//c", b"\xef\xbb\xbf", b"]", b"}"]
LEADING = [b" ", b"\n", b"\xef\xbb\xbf", b"\0", b"[", b"//\n", b"\t"]


def product(shape):
    total = 1
    for dimension in shape:
        total *= dimension
    return total


def sound(rng):
    """Entries in the order of their data, and the data."""
    entries, at = [], 0
    names = rng.sample(NAMES, rng.randrange(0, 5)) + [f"layers.{i}.weight" for i in range(rng.randrange(0, 4))]
    for name in names:
        dtype = rng.choice(list(BITS))
        shape = [rng.choice([0, 1, 1, 2, 3, 4, 8]) for _ in range(rng.randrange(0, 5))]
        if product(shape) * BITS[dtype] % 8:
            shape.append(4)
        end = at + product(shape) * BITS[dtype] // 8
        entries.append((name, fields_of(dtype, shape, at, end)))
        at = end
    return entries, bytes(rng.randrange(256) for _ in range(at))


def fields_of(dtype, shape, begin, end):
    return [("dtype", f'"{dtype}"'), ("shape", json.dumps(shape)), ("data_offsets", json.dumps([begin, end]))]


def spelled(rng, entries, metadata=None):
    colon, comma = rng.choice([(":", ","), (": ", ", "), (":", ","), (" :\n", "\t,\r")])
    parts = [f'"__metadata__"{colon}{metadata}'] if metadata is not None else []
    for name, fields in entries:
        body = comma.join(f"{json.dumps(field)}{colon}{value}" for field, value in fields)
        parts.append(f"{json.dumps(name, ensure_ascii=rng.random() < 0.5)}{colon}{{{body}}}")
    return ("{" + comma.join(parts) + "}").encode()


def file_of(header, data, padding=b" "):
    header += padding * (-len(header) % 8) if padding else b""
    return struct.pack("<Q", len(header)) + header + data


def changed(rng, entries, field, change):
    """One field of one tensor spelled otherwise."""
    if not entries:
        return entries
    at = rng.randrange(len(entries))
    name, fields = entries[at]
    return entries[:at] + [(name, [(f, change(v) if f == field else v) for f, v in fields])] + entries[at + 1:]


def with_number(rng, value):
    """One number of a list replaced, left out or doubled."""
    numbers = json.loads(value)
    texts = [str(n) for n in numbers]
    at = rng.randrange(len(texts)) if texts else 0
    kind = rng.randrange(5)
    if kind < 3 and texts:
        texts[at] = rng.choice(NUMBERS)
    elif kind == 3:
        texts.insert(at, rng.choice(["0", "1", "2", "4294967296", "18446744073709551615"]))
    elif texts:
        del texts[at]
    return "[" + ",".join(texts) + "]"


def shifted(rng, value):
    begin, end = json.loads(value)
    return json.dumps([max(0, begin + rng.choice([0, 0, -8, -1, 1, 8])), max(0, end + rng.choice([0, -8, -1, 1, 8]))])


def duplicate(rng, entries, data):
    if entries:
        name, fields = rng.choice(entries)
        if rng.random() < 0.5:
            entries = entries + [(name, fields)]
        else:
            at = rng.randrange(len(entries))
            fields = entries[at][1] + [rng.choice(entries[at][1])]
            entries = entries[:at] + [(entries[at][0], fields)] + entries[at + 1:]
    return file_of(spelled(rng, entries), data)


def order(rng, entries, data):
    """Names in any order, which is sound; or offsets given to other tensors, which seldom is."""
    entries = rng.sample(entries, len(entries))
    if rng.random() < 0.5:
        offsets = [fields[2] for _, fields in entries]
        rng.shuffle(offsets)
        entries = [(name, fields[:2] + [offset]) for (name, fields), offset in zip(entries, offsets)]
    entries = [(name, rng.sample(fields, len(fields))) for name, fields in entries]
    return file_of(spelled(rng, entries), data, rng.choice([b" ", b"", b"\n"]))


def overlap_or_hole(rng, entries, data):
    return file_of(spelled(rng, changed(rng, entries, "data_offsets", lambda v: shifted(rng, v))), data)


def numbers(rng, entries, data):
    field = rng.choice(["shape", "data_offsets"])
    return file_of(spelled(rng, changed(rng, entries, field, lambda v: with_number(rng, v))), data)


def huge_shape(rng, entries, data):
    shapes = [[2**32, 2**32], [2**63, 2], [2**61], [2**64 - 1], [0, 2**63], [0, 2**64 - 1, 2**64 - 1], [2**33, 2**31 + 1, 8], [1] * 70, [1] * 3000]
    return file_of(spelled(rng, changed(rng, entries, "shape", lambda v: json.dumps(rng.choice(shapes)))), data)


def dtypes(rng, entries, data):
    other = lambda v: rng.choice(DTYPES) if rng.random() < 0.5 else f'"{rng.choice(list(BITS))}"'
    return file_of(spelled(rng, changed(rng, entries, "dtype", other)), data)


def fields(rng, entries, data):
    """A field missing, renamed, or one more."""
    if entries:
        at = rng.randrange(len(entries))
        name, have = entries[at]
        kind = rng.randrange(3)
        if kind == 0:
            have = rng.sample(have, rng.randrange(0, 3))
        elif kind == 1:
            have = [(rng.choice([f.upper(), f + " ", f[:-1], f + "\0"]) if rng.random() < 0.4 else f, v) for f, v in have]
        else:
            have = rng.sample(have + [(rng.choice(["note", "", "strides"]), rng.choice(EXTRA))], len(have) + 1)
        entries = entries[:at] + [(name, have)] + entries[at + 1:]
    return file_of(spelled(rng, entries), data)


def nested(rng, entries, data):
    """Something else where a tensor belongs."""
    value = rng.choice(EXTRA + ['["F32",[2],[0,8]]', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'])
    header = spelled(rng, entries)
    comma = b"," if entries else b""
    return file_of(b'{"n":' + value.encode() + comma + header[1:], data)


def strings(rng, entries, data):
    """Escapes and bytes that may or may not stand in a string, as a name or within the metadata."""
    text, header = rng.choice(STRINGS), spelled(rng, entries)
    comma = b"," if entries else b""
    kind = rng.randrange(3)
    if kind == 0:
        first = b"{" + text + b':{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    elif kind == 1:
        first = b'{"__metadata__":{' + text + b':"v"}'
    else:
        first = b'{"__metadata__":{"k":' + text + b"}"
    return file_of(first + comma + header[1:], data)


def metadata(rng, entries, data):
    header = spelled(rng, entries, rng.choice(METADATA))
    if rng.random() < 0.2:
        header = header[:-1] + b"," + b'"__metadata__":' + rng.choice(METADATA).encode() + b"}"
    return file_of(header, data)


def around(rng, entries, data):
    """Bytes before and behind the object."""
    header = spelled(rng, entries)
    if rng.random() < 0.3:
        header = rng.choice(LEADING) + header
    if rng.random() < 0.8:
        header += rng.choice(TRAILING)
    return file_of(header, data, rng.choice([b" ", b"", b"\0"]))


def sizes(rng, entries, data):
    """Data or the length of the header too short or too long."""
    header = spelled(rng, entries)
    content = file_of(header, data)
    kind = rng.randrange(4)
    if kind == 0:
        return content[:rng.randrange(len(content) + 1)]
    if kind == 1:
        return content + bytes(rng.choice([1, 7, 8, 4096]))
    length = rng.choice([0, 1, len(header) - 1, len(header) + 1, len(content), len(content) - 8, 100_000_000, 100_000_001, 2**63, 2**64 - 1])
    return struct.pack("<Q", max(length, 0)) + content[8:]


def untouched(rng, entries, data):
    return file_of(spelled(rng, entries, rng.choice([None, '{"format":"pt"}'])), data, rng.choice([b" ", b""]))


PIECES = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"0", b"-0", b"1e1", b"4", b"18446744073709551616", b"null", b"\\u0000",
          b"\xff", b" ", b"\0", b'"dtype":', b'"F32"', b'"BF16"', b'"shape":[]', b'"data_offsets":[0,0]', b'"__metadata__":{}']


def damage(rng, entries, data):
    """One to three changes to the header's bytes."""
    header = spelled(rng, entries, rng.choice([None, '{"format":"pt"}']))
    for _ in range(rng.randint(1, 3)):
        kind, at = rng.randrange(5), rng.randrange(len(header) + 1)
        if kind == 0:
            header = header[:at] + rng.choice(PIECES) + header[at:]
        elif kind == 1:
            header = header[:at] + header[at + rng.randint(1, 8):]
        elif kind == 2:
            header = header[:at] + bytes([rng.randrange(256)]) + header[at + 1:]
        elif kind == 3:
            places = list(re.finditer(rb"\d+", header))
            if places:
                number = rng.choice(places)
                value = rng.choice([0, 1, 2, 3, 4, 8, int(number[0]) + 1, int(number[0]) * 2, 2**32, 2**63, 2**64 - 1])
                header = header[:number.start()] + str(value).encode() + header[number.end():]
        else:
            other = rng.randrange(len(header) + 1)
            header = header[:at] + header[min(at, other):max(at, other)] + header[at:]
    return file_of(header, data, rng.choice([b" ", b""]))


MUTATIONS = [untouched, order, duplicate, overlap_or_hole, numbers, huge_shape, dtypes, fields, nested, strings, metadata, around, sizes, damage]
