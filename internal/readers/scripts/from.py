# Reads a From value in base64 from each line and prints, as a JSON object, the
# addresses that each of Python's parsers shows.
import base64, codecs, inspect, json, sys
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses

# Since 3.11.10 getaddresses is strict unless told otherwise.
KNOWS_STRICT = "strict" in inspect.signature(getaddresses).parameters


# An octet that is no UTF-8 is read as ISO 8859-1.
codecs.register_error("latin-1", lambda e: (e.object[e.start:e.end].decode("latin-1"), e.end))


def text(raw):
    return raw.decode(errors="latin-1")


def decoded(value):
    return str(make_header(decode_header(value)))


def addresses(value):
    return [a for _, a in getaddresses([value])]


def lenient(value):
    return [a for _, a in getaddresses([value], strict=False)]


def header(raw):
    return message_from_bytes(b"From: " + raw + b"\r\n\r\n", policy=policy.default)["From"]


def new_policy(raw):
    # A local part without domain is what the program shows as the address.
    return [a.username + "@" + a.domain if a.domain else a.username for a in header(raw).addresses]


def readers(raw):
    yield "Python getaddresses", lambda: addresses(text(raw))
    yield "Python getaddresses, decoded before", lambda: addresses(decoded(text(raw)))
    if KNOWS_STRICT:
        yield "Python getaddresses strict=False", lambda: lenient(text(raw))
        yield "Python getaddresses strict=False, decoded before", lambda: lenient(decoded(text(raw)))
    yield "Python email.policy.default", lambda: new_policy(raw)
    yield "Python email.policy.default, printed and read again", lambda: addresses(str(header(raw)))


for line in sys.stdin:
    raw = base64.b64decode(line)
    answer = {}
    for name, read in readers(raw):
        try:
            answer[name] = read()
        except Exception:
            pass  # it refuses the field, or stumbles
    print(json.dumps(answer), flush=True)
