package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"alignd/judge"
	"alignd/record"
)

var dropping = &judge.Privacy{How: record.AddressesDropped}

// hidden is a text without the local parts of addresses.
func hidden(s string) string {
	if path, query, ok := strings.Cut(s, "?"); ok && strings.HasPrefix(s, "/") { // a link
		if q, err := url.ParseQuery(query); err == nil {
			for _, values := range q {
				for i := range values {
					values[i] = dropping.Text(values[i])
				}
			}
			return path + "?" + q.Encode()
		}
	}
	return dropping.Text(s)
}

// hiddenData hides in whatever JSON is made of.
func hiddenData(ctx context.Context, data any) (any, error) {
	if data == nil {
		return nil, nil
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	return hiddenJSON(ctx, raw)
}

// hiddenJSON hides in each string of a text of JSON. It is not taken apart for that: of
// thousands of messages that would take ten times its room.
func hiddenJSON(ctx context.Context, raw []byte) (json.RawMessage, error) {
	var out bytes.Buffer
	out.Grow(len(raw))
	for {
		begin := bytes.IndexByte(raw, '"')
		if begin < 0 {
			out.Write(raw)
			return out.Bytes(), nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out.Write(raw[:begin])
		end := begin + 1
		for end < len(raw) && raw[end] != '"' {
			if raw[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(raw))
		word := raw[begin:end]
		var text string
		if err := json.Unmarshal(word, &text); err != nil {
			return nil, err
		}
		if kept := dropping.Text(text); kept != text {
			word, _ = json.Marshal(kept)
		}
		out.Write(word)
		raw = raw[end:]
	}
}
