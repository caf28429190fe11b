package ours

import (
	"reflect"
	"testing"
	"time"

	"alignd/config"
	"alignd/report/send"
)

// One word turns reports off: nothing is counted, and nobody gets any.
func TestReportsAreTurnedOffByAWord(t *testing.T) {
	for _, row := range []struct {
		name, options string
		off           bool
		to            send.Audience
	}{
		{name: "on", options: "from: dmarc@here.example", to: send.Audience{Deserving: true}},
		{name: "without an address", options: "to: [all]", off: true, to: send.Audience{All: true}},
		{name: "none", options: "from: dmarc@here.example, to: none", off: true, to: send.Audience{None: true}},
		{name: "behind a gateway", options: "from: dmarc@here.example, to: own"},
	} {
		cfg, err := config.Parse([]byte("reports: {"+row.options+"}\n"), "alignd.yaml", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got, err := Choices(cfg, nil, nil)
		if err != nil || (Tally(cfg) == nil) != row.off || !reflect.DeepEqual(got.To, row.to) {
			t.Errorf("%s: %+v, off %v, %v", row.name, got.To, Tally(cfg) == nil, err)
		}
	}
}
