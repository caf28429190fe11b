"""Signs and verifies with independent implementations, for the Go tests.

Standard input is a JSON list of jobs, standard output a JSON list of results
in the same order; octet strings travel as base64. What "do" a job may have:

  sign     one DKIM-Signature by dkimpy or by libopendkim
  verify   the topmost DKIM-Signature, by both
  seal     an ARC Set by dkimpy, for each of the hops
  chain    the verdict of dkimpy on an ARC chain

dkimpy is Debian's python3-dkim. libopendkim is the library below opendkim and
its tools, called here directly: its tools can neither choose the algorithm nor
be given a key without DNS.
"""

import base64
import ctypes
import json
import os
import sys
import tempfile

import dkim

KEYS = {}  # DNS name without final dot -> record, for the job at hand


def publish(keys):
    """Puts keys where both implementations find them."""
    if keys == KEYS:
        return  # most jobs have the key of the one before
    KEYS.clear()
    KEYS.update(keys)
    with open(KEYFILE, "wb") as out:
        out.writelines(b"%s %s\n" % (name.encode(), text) for name, text in keys.items())


def lookup(name, timeout=5):
    return KEYS.get(name.decode("utf-8", "replace").rstrip(".").lower())


# --- libopendkim ---------------------------------------------------------

LIB = ctypes.CDLL("libopendkim.so.11")
VOID, INT, SIZE, TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p
for function, result, arguments in (
    ("dkim_init", VOID, [VOID, VOID]),
    ("dkim_options", INT, [VOID, INT, INT, VOID, SIZE]),
    ("dkim_sign", VOID, [VOID, TEXT, VOID, TEXT, TEXT, TEXT, INT, INT, INT,
                         ctypes.c_ssize_t, ctypes.POINTER(INT)]),
    ("dkim_set_signer", INT, [VOID, TEXT]),
    ("dkim_verify", VOID, [VOID, TEXT, VOID, ctypes.POINTER(INT)]),
    ("dkim_header", INT, [VOID, TEXT, SIZE]),
    ("dkim_eoh", INT, [VOID]),
    ("dkim_body", INT, [VOID, TEXT, SIZE]),
    ("dkim_eom", INT, [VOID, VOID]),
    ("dkim_getsighdr_d", INT, [VOID, SIZE, ctypes.POINTER(VOID), ctypes.POINTER(SIZE)]),
    ("dkim_getsignature", VOID, [VOID]),
    ("dkim_sig_geterror", INT, [VOID]),
    ("dkim_sig_geterrorstr", TEXT, [INT]),
    ("dkim_getresultstr", TEXT, [INT]),
    ("dkim_free", INT, [VOID]),
):
    f = getattr(LIB, function)
    f.restype, f.argtypes = result, arguments

# From dkim.h: the operation, the options, the flags, the algorithms.
SET = 1
FLAGS, SIGNED, OVERSIGNED, METHOD, INFO, LIFETIME = 0, 4, 5, 6, 7, 11
KEEP_LENGTH, COPY_FIELDS = 0x4, 0x10
FROM_FILE = 1
ALGORITHMS = {"rsa-sha256": 1, "ed25519-sha256": 2}
CANON = {"simple": 0, "relaxed": 1}

KEYFILE = os.path.join(tempfile.mkdtemp(), "keys")
LIBS = {}


class Complaint(Exception):
    pass


def must(status, what):
    if status != 0:
        raise Complaint("%s: %s" % (what, LIB.dkim_getresultstr(status).decode()))


def texts(list_):
    array = (TEXT * (len(list_) + 1))()
    for i, text in enumerate(list_):
        array[i] = text.encode()
    return array


def library(signed=(), oversigned=(), copy=False, length=False, lifetime=0):
    """A library handle with these options; there is one for each set of them."""
    key = (signed, oversigned, copy, length, lifetime)
    if key in LIBS:
        return LIBS[key]
    lib = LIB.dkim_init(None, None)

    def option(which, value):
        must(LIB.dkim_options(lib, SET, which, ctypes.addressof(value), ctypes.sizeof(value)), "options")

    option(FLAGS, ctypes.c_uint((COPY_FIELDS if copy else 0) | (KEEP_LENGTH if length else 0)))
    option(METHOD, INT(FROM_FILE))
    path = ctypes.create_string_buffer(KEYFILE.encode())
    must(LIB.dkim_options(lib, SET, INFO, ctypes.addressof(path), len(KEYFILE)), "key file")
    for which, names in ((SIGNED, signed), (OVERSIGNED, oversigned)):
        if names:
            array = texts(names)
            must(LIB.dkim_options(lib, SET, which, ctypes.addressof(array), ctypes.sizeof(VOID)), "names")
    if lifetime:
        option(LIFETIME, ctypes.c_uint64(lifetime))
    LIBS[key] = lib
    return lib


def split(message):
    """Fields and body; lines end in CRLF and in nothing else."""
    head, _, body = (b"\r\n" + message).partition(b"\r\n\r\n")
    fields = []
    for line in head.split(b"\r\n")[1:]:
        if fields and line[:1] in (b" ", b"\t"):
            fields[-1] += b"\r\n" + line
        elif line:
            fields.append(line)
    return fields, body


def feed(handle, message):
    fields, body = split(message)
    for field in fields:
        must(LIB.dkim_header(handle, field, len(field)), "field")
    must(LIB.dkim_eoh(handle), "end of header")
    if body:
        must(LIB.dkim_body(handle, body, len(body)), "body")
    must(LIB.dkim_eom(handle, None), "end of message")


def opendkim_sign(job, message):
    lib = library(tuple(job["names"]), tuple(job.get("oversign", ())), job.get("copy", False),
                  job["length"] >= 0, job.get("lifetime", 0))
    status = INT()
    handle = LIB.dkim_sign(lib, b"id", None, job["pem"].encode(), job["selector"].encode(),
                           job["domain"].encode(), CANON[job["header"]], CANON[job["body"]],
                           ALGORITHMS[job["algorithm"]], job["length"], ctypes.byref(status))
    must(status.value, "sign")
    try:
        if job.get("identity"):
            must(LIB.dkim_set_signer(handle, job["identity"].encode()), "identity")
        feed(handle, message)
        text, size = VOID(), SIZE()
        must(LIB.dkim_getsighdr_d(handle, len("DKIM-Signature: "), ctypes.byref(text), ctypes.byref(size)), "result")
        return b"DKIM-Signature: " + ctypes.string_at(text.value, size.value) + b"\r\n"
    finally:
        LIB.dkim_free(handle)


def opendkim_verify(message):
    status = INT()
    handle = LIB.dkim_verify(library(), b"id", None, ctypes.byref(status))
    must(status.value, "verify")
    try:
        feed(handle, message)
        return "pass"
    except Complaint as complaint:
        signature = LIB.dkim_getsignature(handle)
        if signature:
            error = LIB.dkim_sig_geterrorstr(LIB.dkim_sig_geterror(signature))
            return "%s: %s" % (complaint, error.decode())
        return str(complaint)
    finally:
        LIB.dkim_free(handle)


# --- dkimpy --------------------------------------------------------------


class Log:
    """What dkimpy complains of, instead of a logger."""

    def __init__(self):
        self.last = ""

    def isEnabledFor(self, level):
        return False

    def debug(self, *args):
        pass

    def error(self, text):
        self.last = text


def dkimpy_sign(job, message):
    signer = dkim.DKIM(message, signature_algorithm=job["algorithm"].encode())
    ed = job["algorithm"].startswith("ed25519")
    return signer.sign(
        job["selector"].encode(), job["domain"].encode(), job["seed" if ed else "pem"].encode(),
        identity=job["identity"].encode() if job.get("identity") else None,
        canonicalize=(job["header"].encode(), job["body"].encode()),
        include_headers=[n.encode() for n in job["names"] + job.get("oversign", [])],
        length=job["length"] >= 0)


def dkimpy_verify(message):
    log = Log()
    try:
        if dkim.DKIM(message, logger=log).verify(dnsfunc=lookup):
            return "pass"
        return "fail: " + log.last
    except dkim.DKIMException as problem:
        return "fail: %s" % problem
    except Exception as crash:  # what hostile messages do to it
        return "crash: %r" % crash


def seal(job):
    """Seals for each hop in turn and returns the message after each."""
    message, after = base64.b64decode(job["message"]), []
    for hop in job["hops"]:
        if hop.get("replace"):
            old, new = hop["replace"]
            message = message.replace(old.encode(), new.encode(), 1)
        message += hop.get("append", "").encode()
        result = "arc=%s; " % hop["cv"] if hop["cv"] != "none" else ""
        message = ("Authentication-Results: %s; %sspf=pass smtp.mailfrom=author.example\r\n" % (hop["server"], result)).encode() + message
        fields = dkim.ARC(message).sign(
            hop["selector"].encode(), hop["domain"].encode(), hop["pem"].encode(), hop["server"].encode(),
            include_headers=[n.encode() for n in hop["names"]])
        if not fields:
            raise Complaint("dkimpy made no ARC Set")
        message = b"".join(fields) + message
        after.append(base64.b64encode(message).decode())
    return {"messages": after}


def chain(message):
    try:
        cv, sets, reason = dkim.ARC(message, logger=Log()).verify(dnsfunc=lookup)
    except dkim.DKIMException as problem:
        return {"cv": "fail", "why": str(problem)}
    except Exception as crash:
        return {"cv": "crash", "why": repr(crash)}
    return {
        "cv": cv.decode() if cv else "ended", "why": reason,
        "sets": [{"instance": s["instance"], "ams": bool(s["ams-valid"]), "seal": bool(s["as-valid"])} for s in sets],
    }


def do(job):
    try:
        if job["do"] == "seal":
            return seal(job)
        message = base64.b64decode(job["message"])
        if job["do"] == "sign":
            sign = dkimpy_sign if job["by"] == "dkimpy" else opendkim_sign
            return {"field": base64.b64encode(sign(job, message)).decode()}
        publish({name: text.encode() for name, text in job.get("keys", {}).items()})
        if job["do"] == "chain":
            return chain(message)
        return {"dkimpy": dkimpy_verify(message), "opendkim": opendkim_verify(message)}
    except (Complaint, dkim.DKIMException) as problem:
        return {"error": str(problem)}


json.dump([do(job) for job in json.load(sys.stdin)], sys.stdout)
try:
    os.remove(KEYFILE)
except FileNotFoundError:
    pass
os.rmdir(os.path.dirname(KEYFILE))
