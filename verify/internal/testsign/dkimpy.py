# Signs and seals with dkimpy. Reads one JSON job a line, writes one base64
# message a line. Keys come as dkimpy wants them.
import base64, json, sys
import dkim

for line in sys.stdin:
    job = json.loads(line)
    msg = base64.b64decode(job["message"])
    key = job["key"].encode()
    if job["seals"] == 0:
        msg = dkim.sign(
            msg, b"sel", b"example.org", key,
            canonicalize=(job["header"].encode(), job["body"].encode()),
            signature_algorithm=job["algorithm"].encode(),
            include_headers=[h.encode() for h in job["names"]],
            length=job["length"]) + msg
    for i in range(1, job["seals"] + 1):
        host = b"mx%d.example.org" % i
        results = b"spf=pass smtp.mailfrom=d1.example"
        if i > 1:
            results = b"arc=pass; " + results
            if job["footer"]:
                msg += b"footer %d\r\n" % i
        msg = b"Authentication-Results: " + host + b"; " + results + b"\r\n" + msg
        fields = dkim.arc_sign(msg, b"sel", b"example.org", key, host,
                               include_headers=[h.encode() for h in job["names"]])
        msg = b"".join(fields) + msg
    print(base64.b64encode(msg).decode(), flush=True)
