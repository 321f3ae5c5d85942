#!/usr/bin/env python3
"""Hold the header reader against Python's email package.

usage: rfc822.py TEST_RFC822 [COUNT [SEED]]

Generates COUNT messages, the same for the same SEED, and compares what
`TEST_RFC822 --json` makes of them with what the standard library does. Where
the two differ on purpose (a line without a colon, a bare CR, years 50 to 68,
broken base64) nothing is generated: test_rfc822.c has those."""

import base64
import calendar
import email
import email.header
import email.utils
import json
import random
import re
import subprocess
import sys

VALUE_MAX = 1023
HEADERS = {
    "from": "From", "to": "To", "cc": "Cc", "subject": "Subject",
    "date": "Date", "message_id": "Message-ID",
    "in_reply_to": "In-Reply-To", "references": "References",
    "list_id": "List-Id", "spam": "X-SES-Spam-Verdict",
    "virus": "X-SES-Virus-Verdict",
}
ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;@<>()!-"
SCRIPTS = [  # charset, letters it has
    ("utf-8", "äöüßéñ€漢字かなПривет🙂‰"),
    ("UTF-8", "日本語テスト"),
    ("iso-8859-1", "äöüßéñ¡¿"),
    ("ISO-8859-2", "ąćęłńóśźż"),
    ("iso-8859-5", "приветмир"),
    ("iso-8859-7", "αβγδεζη"),
    ("iso-8859-15", "äö€šž"),
    ("windows-1250", "ąćęłńóśźż"),
    ("windows-1251", "приветмирЁё"),
    ("windows-1252", "äö€“”–—"),
    ("Windows-1254", "ğışöçü"),
    ("windows-1256", "ابتثجح"),
    ("koi8-r", "приветмир"),
    ("koi8-u", "їєґі"),
    ("gb2312", "中文测试邮件"),
    ("gbk", "中文測試"),
    ("gb18030", "中文🙂"),
    ("big5", "中文測試郵件"),
    ("euc-kr", "한국어시험"),
    ("shift_jis", "日本語テスト"),
    ("euc-jp", "日本語テスト"),
    ("iso-2022-jp", "日本語テスト"),
    ("us-ascii", "abc"),
]
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
ZONES = ["GMT", "UT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"]


def words(r, letters, count):
    return " ".join("".join(r.choice(letters) for _ in range(r.randint(1, 9)))
                    for _ in range(count))


def q_encode(data):
    out = ""
    for b in data:
        c = chr(b)
        if c == " ":
            out += "_"
        elif c.isascii() and c.isalnum():
            out += c
        else:
            out += "=%02X" % b
    return out


def encoded_word(r, charset, data):
    if r.random() < 0.5:
        return "=?%s?%s?%s?=" % (charset, r.choice("bB"),
                                 base64.b64encode(data).decode())
    return "=?%s?%s?%s?=" % (charset, r.choice("qQ"), q_encode(data))


def encoded_text(r, eol):
    """Some encoded words, now and then cut within a character."""
    charset, letters = r.choice(SCRIPTS)
    text = words(r, letters + "ab", r.randint(1, 4))
    if charset.lower() == "utf-8" and r.random() < 0.3:
        data = text.encode(charset)
        size = r.randint(1, 20)
        pieces = [data[i:i + size] for i in range(0, len(data), size)]
    else:
        size = r.randint(1, 12)
        pieces = [text[i:i + size].encode(charset)
                  for i in range(0, len(text), size)]
    gap = r.choice([" ", "  ", eol + " ", eol + "\t", " " + eol + "  "])
    return gap.join(encoded_word(r, charset, p) for p in pieces)


def value(r, eol):
    """A field's value as bytes."""
    kind = r.random()
    if kind < 0.1:
        return b""
    if kind < 0.2:
        return words(r, ASCII + "äö漢", r.randint(1, 40)).encode()
    if kind < 0.3:
        return words(r, ASCII + "äö", r.randint(1, 40)).encode("latin-1")
    if kind < 0.35:
        return words(r, ASCII + "漢", 400).encode()
    parts = []
    for _ in range(r.randint(1, 6)):
        if r.random() < 0.5:
            parts.append(encoded_text(r, eol))
        else:
            parts.append(words(r, ASCII, r.randint(1, 8)))
    gaps = [" ", "  ", eol + " ", eol + "\t", "\t"]
    out = parts[0]
    for p in parts[1:]:
        out += r.choice(gaps) + p
    return (r.choice(["", eol + " "]) + out + r.choice(["", "  "])).encode()


def date(r):
    year = r.randint(1970, 2049)
    month = r.randint(1, 12)
    day = r.randint(1, calendar.monthrange(year, month)[1])
    text = "%d %s %s %02d:%02d" % (
        day, MONTHS[month - 1],
        year if r.random() < 0.8 else "%02d" % (year % 100),
        r.randint(0, 23), r.randint(0, 59))
    if r.random() < 0.9:
        text += ":%02d" % r.randint(0, 59)
    if r.random() < 0.7:
        text = r.choice(["Mon, ", "Tue,  ", "wed, "]) + text
    zone = r.random()
    if zone < 0.7:
        text += " %s%02d%02d" % (r.choice("+-"), r.randint(0, 14),
                                 r.choice([0, 30, 45]))
    elif zone < 0.9:
        text += " " + r.choice(ZONES)
    if r.random() < 0.2:
        text += " (CEST)"
    return text.encode()


def message(r):
    eol = r.choice(["\r\n", "\n"])
    out = b""
    if r.random() < 0.1:
        out += b"From a@b.c Thu Jul  2 11:14:52 2026" + eol.encode()
    for _ in range(r.randint(0, 14)):
        name = r.choice(list(HEADERS.values()) + ["X-Other", "Received"])
        name = r.choice([name, name.upper(), name.lower()])
        body = date(r) if name.lower() == "date" else value(r, eol)
        out += name.encode() + r.choice([b": ", b":", b": \t"]) + body
        out += eol.encode()
    if r.random() < 0.9:
        out += eol.encode() + r.choice(
            [b"", b"Subject: body\n\r\n",
             bytes(r.randrange(256) for _ in range(50))])
    return out


def tidy(text):
    """What utf8.h promises of a line."""
    text = re.sub("[\t-\r]", " ", text)
    text = re.sub("[\x00-\x1f\x7f-\x9f]", "", text)
    cut = text.encode()
    if len(cut) > VALUE_MAX:
        cut = cut[:VALUE_MAX]
    return cut.decode(errors="ignore").rstrip(" ")


def decode(raw):
    """The text of an unfolded value, raw being what the parser kept."""
    try:
        raw.encode("ascii")
    except UnicodeEncodeError:
        data = raw.encode("ascii", "surrogateescape")
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("latin-1")
    out = ""
    for part, charset in email.header.decode_header(raw):
        if isinstance(part, bytes):
            part = part.decode(charset or "ascii", "replace")
        out += part
    return out


def expect(data):
    msg = email.message_from_bytes(data)
    seen = {}
    for name, raw in msg.raw_items():
        seen.setdefault(name.lower(), raw)
    want = {}
    for key, name in HEADERS.items():
        raw = re.sub("\r?\n", "", seen.get(name.lower(), "")).lstrip(" \t")
        want[key] = tidy(decode(raw))
    parsed = email.utils.parsedate_tz(want["date"])
    if parsed is not None:
        want["date_unix"] = calendar.timegm(parsed[:6]) - (parsed[9] or 0)
    want["crlf_size"] = len(data) + len(re.findall(rb"(?<!\r)\n", data))
    return want


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    r = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 822)
    messages = [message(r) for _ in range(count)]
    run = subprocess.run(
        [sys.argv[1], "--json"], check=True, stdout=subprocess.PIPE,
        input=b"".join(b"%d\n" % len(m) + m for m in messages))
    lines = run.stdout.decode().splitlines()
    if len(lines) != count:
        sys.exit("%d answers to %d messages" % (len(lines), count))
    failed = 0
    for i, (data, line) in enumerate(zip(messages, lines)):
        want, got = expect(data), json.loads(line)
        if want == got:
            continue
        failed += 1
        if failed <= 5:
            print("message %d: %r" % (i, data))
            for key in sorted(set(want) | set(got)):
                if want.get(key) != got.get(key):
                    print("  %s: got  %r\n  %s: want %r" % (
                        key, got.get(key), key, want.get(key)))
    if failed:
        sys.exit("%d of %d messages differ" % (failed, count))


if __name__ == "__main__":
    main()
