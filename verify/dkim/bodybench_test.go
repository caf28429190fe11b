package dkim

import (
	"alignd/header"
	"fmt"
	"strings"
	"testing"
)

// Bodies as they are met: HTML with indentation and attributes, and an
// attachment in lines of 76 characters; and one made to be dear: each octet
// is looked at, and few at a time are passed on.
var bodies = []struct{ name, text string }{
	{name: "html",
		text: strings.Repeat("  <tr style=\"margin: 0; padding: 0\">\r\n    <td class=\"x\" width=600 align=left>Some words of text that go on for a while, as in a letter.</td>\r\n  </tr>\r\n", 400)},
	{name: "base64", text: strings.Repeat("TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24sIGJ1dCBieSB0aGlz\r\n", 900)},
	{name: "tabs", text: strings.Repeat("a\t", 35_000)},
}

func BenchmarkBody(b *testing.B) {
	for _, body := range bodies {
		for _, canon := range []string{"simple", "relaxed"} {
			var fields header.Fields
			fields.Add([]byte("DKIM-Signature"), []byte(" v=1; a=rsa-sha256; c=simple/"+canon+"; d=example.com; s=s; h=from; bh=AAAA; b=AAAA"))
			p, bad := parse(Signature, fields.At(0))
			if bad != nil {
				b.Fatal(bad)
			}
			text := []byte(body.text)
			b.Run(fmt.Sprintf("canon=%s/text=%s", canon, body.name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					var body Body
					body.Register(p)
					for rest := text; len(rest) > 0; {
						n := min(len(rest), 65535) // a milter's chunk
						body.Write(rest[:n])
						rest = rest[n:]
					}
					body.Result(p)
					body.Reset()
				}
			})
		}
	}
}
