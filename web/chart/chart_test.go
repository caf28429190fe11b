package chart

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
)

func TestBarsAreXMLWithAWayToReadThem(t *testing.T) {
	for _, b := range []Bars{
		{Title: "none"},
		{Title: `<script>"'&`, Description: "]]>", Labels: []string{"<b>", "\"", "c"}, Series: []Series{{Name: "a&b", Values: []uint64{1, 2, 3}}, {Name: "short", Class: 1, Values: []uint64{9}}}},
		{Title: "zero", Labels: []string{"a"}, Series: []Series{{Name: "x", Values: []uint64{0}}}},
		{Title: "much", Labels: []string{"a"}, Series: []Series{{Name: "x", Values: []uint64{math.MaxUint64 / 8}}}},
		{Title: "many", Labels: make([]string, 90), Series: []Series{{Name: "x", Values: make([]uint64, 90)}}},
	} {
		text := string(b.SVG())
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v in %s", b.Title, err, text)
			}
			if e, ok := tok.(xml.StartElement); ok {
				if e.Name.Local == "script" {
					t.Errorf("%s: %s", b.Title, text)
				}
				for _, a := range e.Attr {
					if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
						t.Errorf("%s: %s=%q", b.Title, a.Name.Local, a.Value)
					}
				}
			}
		}
		if len(b.Labels) > 0 && !strings.Contains(text, "<title>") {
			t.Errorf("%s has no title", b.Title)
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, `height="-`) {
			t.Errorf("%s: %s", b.Title, text)
		}
	}
}

func TestFanDrawsWhatCountsWhole(t *testing.T) {
	f := &Fan{Title: "Alignment", To: "a.example", Spokes: []Spoke{{Text: "<b>", Along: "aligned", Joined: true}, {Text: strings.Repeat("w", 100), Along: "not aligned", Class: 1}}}
	got := string(f.SVG())
	for _, want := range []string{`class="joined l0"`, `class="apart l1"`, "&lt;b&gt;", "www…", "not aligned"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if strings.Contains(got, "<b>") || (&Fan{}).SVG() != "" {
		t.Error(got)
	}
}
