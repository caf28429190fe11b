package header_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"

	"alignd/header"
)

// letterHeader is the header of a usual message: 25 fields, 2.5 KB.
func letterHeader() string {
	var b strings.Builder
	for i := range 6 {
		fmt.Fprintf(&b, "Received: from mail%d.example.net (mail%d.example.net [192.0.2.%d])\r\n\tby mx.example.com (Postfix) with ESMTPS id 4F3A91C0DE\r\n\tfor <b@example.com>; Mon, 1 Dec 2025 09:00:00 +0100\r\n", i, i, i)
	}
	b.WriteString("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=s;\r\n h=from:to:subject:date; bh=" + strings.Repeat("A", 43) + "=;\r\n b=" + strings.Repeat("A", 342) + "==\r\n")
	b.WriteString("From: Alice <a@example.net>\r\nTo: b@example.com\r\nSubject: hello\r\nDate: Mon, 1 Dec 2025 09:00:00 +0100\r\nMessage-ID: <1@example.net>\r\n")
	for i := range 13 {
		fmt.Fprintf(&b, "X-Field-%d: a value of some words\r\n", i)
	}
	return b.String() + "\r\n"
}

func BenchmarkRead(b *testing.B) {
	text := letterHeader()
	r := bufio.NewReader(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Reset(strings.NewReader(text))
		if _, _, err := header.Read(r, header.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// As a milter session fills it: one Fields for message after message.
func BenchmarkAdd(b *testing.B) {
	fields, _, err := header.Read(bufio.NewReader(strings.NewReader(letterHeader())), header.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	var h header.Fields
	b.ReportAllocs()
	for b.Loop() {
		h.Reset()
		for i := range fields.Len() {
			h.Add(fields.At(i).Name(), fields.At(i).Value())
		}
	}
}
