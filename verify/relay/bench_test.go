package relay

import (
	"testing"

	"alignd/header"
)

func BenchmarkChain(b *testing.B) {
	h := new(header.Fields)
	for _, value := range []string{
		" from mx.a.example (mx.a.example [192.0.2.1])\r\n\tby mx.here.test (Postfix) with ESMTPS id 4F1\r\n\tfor <bob@here.test>; Thu,  1 Jan 2026 10:00:00 +0100 (CET)",
		" from laptop ([2001:db8::1]) by mx.a.example with ESMTPSA; 1 Jan 2026 08:59:00 +0000",
		" from unknown (HELO ann@a.example) (192.0.2.8) by bob@mx.a.example with SMTP; Thu, 01 Jan 2026 08:57:00 +0000",
	} {
		h.Add([]byte("Received"), []byte(value))
	}
	b.ReportAllocs()
	for b.Loop() {
		Chain(h, 50)
	}
}
