package relay

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/header"
)

func TestChain(t *testing.T) {
	h := new(header.Fields)
	for _, value := range []string{
		" from mx.a.example (mx.a.example [192.0.2.1])\r\n\tby mx.here.test (Postfix) with ESMTPS id 4F1\r\n\tfor <bob@here.test>; Thu,  1 Jan 2026 10:00:00 +0100 (CET)",
		" from laptop ([2001:db8::1]) by mx.a.example with ESMTPSA; 1 Jan 2026 08:59:00 +0000",
		" by mx.a.example (Postfix, from userid 0); Thu, 01 Jan 2026 08:58:00 +0000",
		" from unknown (HELO ann@a.example) (192.0.2.8) by bob@mx.a.example with SMTP; Thu, 01 Jan 2026 08:57:00 +0000",
	} {
		h.Add([]byte("Received"), []byte(value))
	}
	at := func(hour, minute int) time.Time { return time.Date(2026, 1, 1, hour, minute, 0, 0, time.UTC) }
	want := []evidence.Hop{
		{From: "mx.a.example", Addr: netip.MustParseAddr("192.0.2.1"), By: "mx.here.test", With: "smtp", Time: at(9, 0)},
		{From: "laptop", Addr: netip.MustParseAddr("2001:db8::1"), By: "mx.a.example", With: "login", Time: at(8, 59)},
		{By: "mx.a.example", Time: at(8, 58)},
		{From: "@a.example", Addr: netip.MustParseAddr("192.0.2.8"), By: "@mx.a.example", With: "smtp", Time: at(8, 57)}, // no local part
	}
	got := Chain(h, 50)
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := Chain(h, 2); len(got) != 2 {
		t.Errorf("at most two: got %d", len(got))
	}
	if got := Chain(new(header.Fields), 2); got != nil {
		t.Errorf("none: got %+v", got)
	}
}
