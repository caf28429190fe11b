package dkim_test

import (
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

const football = "From: Joe SixPack <joe@football.example.com>\n" +
	"To: Suzie Q <suzie@shopping.example.net>\n" +
	"Subject: Is dinner ready?\n" +
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\n" +
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\n" +
	"\nHi.\n\nWe lost the game. Are you hungry yet?\n\nJoe.\n"

// The signed messages that the RFCs print, with the keys they publish.
func TestPublishedExamples(t *testing.T) {
	tests := []struct {
		name string
		zone testsign.DNS
		msg  string
		want []evidence.Result
	}{
		{
			name: "RFC 6376 appendix A",
			zone: testsign.DNS{"brisbane._domainkey.example.com": {"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"}},
			msg: "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\n" +
				"      c=simple/simple; q=dns/txt; i=joe@football.example.com;\n" +
				"      h=Received : From : To : Subject : Date : Message-ID;\n" +
				"      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n" +
				"      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\n" +
				"      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\n" +
				"      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\n" +
				"      4bmp/YzhwvcubU4=;\n" +
				"Received: from client1.football.example.com  [192.0.2.1]\n" +
				"      by submitserver.example.com with SUBMISSION;\n" +
				"      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\n" + football,
			want: []evidence.Result{evidence.Pass},
		},
		{
			name: "RFC 8463 appendix A",
			zone: testsign.DNS{
				"brisbane._domainkey.football.example.com": {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
				"test._domainkey.football.example.com":     {"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"},
			},
			msg: "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\n" +
				" d=football.example.com; i=@football.example.com;\n" +
				" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n" +
				" subject : date : message-id : from : subject : date;\n" +
				" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n" +
				" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\n" +
				" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\n" +
				"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n" +
				" d=football.example.com; i=@football.example.com;\n" +
				" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\n" +
				" date : message-id : from : subject : date;\n" +
				" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n" +
				" b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\n" +
				" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\n" +
				" dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\n" + football,
			want: []evidence.Result{evidence.Pass, evidence.Pass},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, eol := range []string{"\n", "\r\n"} {
				sigs, _ := verify(t, strings.ReplaceAll(tt.msg, "\n", eol), tt.zone, dkim.Options{Now: time.Unix(1_600_000_000, 0)}, 0)
				if len(sigs) != len(tt.want) {
					t.Fatalf("got %+v", sigs)
				}
				for i, want := range tt.want {
					if sigs[i].Result != want {
						t.Errorf("signature %d: got %+v, want %s", i, sigs[i], want)
					}
				}
			}
		})
	}
}
