package chart

import (
	"encoding/xml"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestALineIsSmallXMLWithWords(t *testing.T) {
	for _, l := range []Line{{}, {Text: `<script>"'&`, All: []uint64{0}}, {All: []uint64{1, 2, 3}, Bad: []uint64{0, 0, 3}},
		{All: []uint64{math.MaxUint64 / 4, 0}, Bad: []uint64{1, math.MaxUint64 / 4}}, {All: make([]uint64, 90), Bad: make([]uint64, 90)}} {
		text := string(l.SVG())
		if (text == "") != (len(l.All) == 0) || len(text) > 1000+2*len(l.Text) {
			t.Errorf("%+v: %s", l, text)
		}
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
		}
		if strings.Contains(text, "-") && strings.Contains(text, ",-") {
			t.Errorf("outside of the drawing: %s", text)
		}
	}
	many := make([]uint64, 90)
	for i := range many {
		many[i] = 1
	}
	if got := joined(many); len(got) != 30 || got[0] != 3 || got[29] != 3 {
		t.Errorf("joined: %v", got)
	}
	if got := joined(many[:31]); len(got) != 16 || got[0] != 1 || got[15] != 2 {
		t.Errorf("joined: %v", got)
	}
	if got := joined([]uint64{4, 5}); !slices.Equal(got, []uint64{4, 5}) {
		t.Errorf("joined: %v", got)
	}
}
