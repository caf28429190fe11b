package arc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/verify/internal/testsign"
)

// Chains sealed by dkimpy, from 1 to 10 instances, with and without a list
// that adds to the body at each hop; each also broken in one octet.
func TestChainsSealedByDkimpy(t *testing.T) {
	var jobs []testsign.Job
	for n := 1; n <= 10; n++ {
		for _, footer := range []bool{false, true} {
			for _, body := range []string{"Hey gang,\r\n", "", " trailing \t \r\n\r\n\r\n", "8-bit \xe4 and =20\r\n.\r\n"} {
				jobs = append(jobs, testsign.Job{
					Message: []byte(strings.SplitAfter(message, "\r\n\r\n")[0] + body), Key: rsaKey.Private(), Algorithm: "rsa-sha256",
					Names: []string{"from", "to", "subject", "date", "from"}, Seals: n, Footer: footer,
				})
			}
		}
	}
	broken := 0
	for i, msg := range testsign.Dkimpy(t, jobs) {
		n := jobs[i].Seals
		want := evidence.ARC{Result: evidence.Pass, Instances: n}
		if jobs[i].Footer && n > 1 {
			want.OldestPass = n
		}
		got := validateAt(t, msg, time.Now())
		if got.Result != want.Result || got.Instances != want.Instances || got.OldestPass != want.OldestPass {
			t.Errorf("%d instances, footer %v:\n%s\ngot %+v", n, jobs[i].Footer, msg, got)
		}
		for _, s := range got.Sets {
			if s.AAR == nil || s.AAR.ServID != fmt.Sprintf("mx%d.example.org", s.Instance) {
				t.Errorf("AAR of instance %d: %+v", s.Instance, s.AAR)
			}
		}
		for what, b := range map[string]string{
			"Subject": strings.Replace(msg, "Subject: E", "Subject: F", 1),
			"body":    msg + "!",
			"AAR":     strings.Replace(msg, "spf=pass smtp.mailfrom=d1", "spf=pass smtp.mailfrom=d2", 1),
			"cv":      strings.Replace(msg, "cv=none", "cv=pass", 1),
			"order":   strings.Replace(msg, "i=1;", "i=2;", 1),
		} {
			if got := validateAt(t, b, time.Now()); got.Result != evidence.Fail {
				t.Errorf("%d instances, %s changed: got %+v", n, what, got)
			}
			broken++
		}
	}
	t.Logf("%d chains, %d broken ones", len(jobs), broken)
}
