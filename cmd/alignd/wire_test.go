package main

import (
	"testing"
	"time"

	"alignd/config"
	"alignd/verify/dkim"
	"alignd/verify/spf"
)

func TestAnOptionOfZeroIsNotItsDefault(t *testing.T) {
	for _, row := range []struct {
		name, text string
		skew       time.Duration
		voids      int
	}{
		{name: "nothing said is the default", skew: dkim.DefaultSkew, voids: spf.DefaultLimits.Voids},
		{name: "zero means none", text: "{dkim: {clock_skew: 0s}, spf: {max_void_lookups: 0}}", skew: -1, voids: -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg, err := config.Parse([]byte(row.text), "alignd.yaml", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if opt := verifyOptions(cfg); opt.DKIM.Skew != row.skew || opt.SPF.Voids != row.voids {
				t.Errorf("got %v and %d, want %v and %d", opt.DKIM.Skew, opt.SPF.Voids, row.skew, row.voids)
			}
		})
	}
}

func TestAReloadTakesUpTheRepliesOfTheServer(t *testing.T) {
	parse := func(text string) *config.Config {
		cfg, err := config.Parse([]byte(text), "alignd.yaml", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	watching, enforcing := milterReplies(parse("mode: monitor")), milterReplies(parse("mode: enforce"))
	if !watching.OnPanic.Delivers() || enforcing.OnPanic.Delivers() {
		t.Errorf("a failed message gets %q in monitor mode and %q in enforce mode", watching.OnPanic, enforcing.OnPanic)
	}
	if watching.OnLimit.Delivers() {
		t.Error("in monitor mode a message over a limit passes")
	}
}
