package authres

import "testing"

func TestParseSealedGivesALabels(t *testing.T) {
	for value, want := range map[string]string{
		"a.example":                         "a.example",
		"B.Example.":                        "B.Example.",
		"bücher.example":                    "xn--bcher-kva.example",
		"BÜCHER.example":                    "xn--bcher-kva.example",
		"bu\u0308cher.example":              "xn--bcher-kva.example",
		"@bücher.example":                   "@xn--bcher-kva.example",
		"ann@bücher.example":                "ann@xn--bcher-kva.example",
		"<ann@bücher.example>":              "<ann@xn--bcher-kva.example>",
		"<bücher.example>":                  "<xn--bcher-kva.example>",
		"änn@a.example":                     "änn@a.example",
		"änn@bücher.example":                "änn@xn--bcher-kva.example",
		"a\u200b.example":                   "a\u200b.example",
		"\uff41.example":                    "\uff41.example",
		"a\u3002example":                    "a\u3002example",
		"“a.example”":                       "“a.example”",
		"b\xfccher.example":                 "b\xfccher.example",
		"a.example, bücher.example":         "a.example, bücher.example",
		"bücher.example <x@bücher.example>": "bücher.example <x@xn--bcher-kva.example>",
	} {
		_, out, err := ParseSealed([]byte(`i=1; mx.bücher.example/4F1; dmarc=pass header.from="` + value + `"`))
		if err != nil || out.ServID != "mx.xn--bcher-kva.example/4F1" || out.Results[0].Value("header", "from") != want {
			t.Errorf("%q: got %+v, %v, want %q", value, out, err, want)
		}
	}
}
