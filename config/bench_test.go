package config

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkParse reads configurations with many exceptions, as at a reload.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		var file bytes.Buffer
		file.WriteString("exceptions:\n")
		for i := range n {
			fmt.Fprintf(&file, "  - {id: v%d, action: accept, scope: {author_domains: [v%d.example]}, proof: {dkim: [v%d.vendor.example]}, reason: vendor, expires: 2099-01-01}\n", i, i, i)
		}
		b.Run(fmt.Sprintf("exceptions=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(file.Bytes(), "alignd.yaml", testNow); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
