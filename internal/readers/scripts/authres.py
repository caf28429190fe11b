# Reads an Authentication-Results value in base64 from each line and prints, as
# a JSON object, the results that Python's authres shows.
import base64, json, sys
from authres import AuthenticationResultsHeader

for line in sys.stdin:
    answer = {}
    try:
        header = AuthenticationResultsHeader.parse_value(base64.b64decode(line).decode())
        shown = [header.authserv_id]
        for r in header.results:
            words = [r.method + "=" + r.result]
            if r.reason:
                words.append("reason=" + r.reason)
            words += [f"{p.type}.{p.name}={p.value}" for p in r.properties]
            shown.append("\t".join(words))
        answer["Python authres"] = shown
    except Exception as e:
        print(line, repr(e), file=sys.stderr)
    print(json.dumps(answer), flush=True)
