# Reads a From value in base64 from each line and prints, as a JSON object, the
# addresses that Camel shows, the library of Evolution.
import base64, json, sys
import gi

gi.require_version("Camel", "1.2")
from gi.repository import Camel


def addresses(raw):
    message = Camel.MimeMessage.new()
    field = b"From: " + raw + b"\r\n\r\n"
    message.construct_from_stream_sync(Camel.StreamMem.new_with_buffer(field), None)
    shown = message.get_from()
    return [shown.get(i)[2] or "" for i in range(shown.length())] if shown else []


for line in sys.stdin:
    raw = base64.b64decode(line)
    answer = {}
    try:
        answer["Camel"] = addresses(raw)
    except Exception:
        pass  # what it shows is no text
    print(json.dumps(answer), flush=True)
