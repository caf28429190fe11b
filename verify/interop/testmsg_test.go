package interop

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"alignd/evidence"
	"alignd/verify"
	"alignd/verify/internal/testsign"
)

var hasDate = regexp.MustCompile(`(?im)^date:`)

// opendkim-testmsg signs with rsa-sha1 and nothing else, which never passes
// (RFC 8301 section 3.1). Its verifier needs DNS; that of libopendkim, which
// is the same, is asked in TestFormsAgainstPeers.
func TestFormsSignedByOpendkimTestmsg(t *testing.T) {
	needPeers(t)
	k := genkey(t, "1024")
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(k.pem), 0o600); err != nil {
		t.Fatal(err)
	}
	zone := keys{keyName: k.record}.zone(t)
	var signed, refused tally
	for _, f := range forms() {
		if f.signature {
			continue // it has no options for these
		}
		cmd := exec.Command("opendkim-testmsg", "-C", "-d", "example.com", "-s", "sel", "-k", file)
		cmd.Stdin = bytes.NewReader([]byte(f.text()))
		out, err := cmd.Output()
		if fields, _ := testsign.Split(string(out)); err != nil || len(fields) == 0 {
			if hasDate.MatchString(f.head) {
				t.Errorf("%s: opendkim-testmsg: %v", f.name, err)
			}
			refused.add("opendkim-testmsg refuses a message without Date")
			continue
		}
		got := topmost(ours(zone, &verify.Options{}, string(out), 0))
		if got.Algorithm != "rsa-sha1" || got.Result != evidence.PermError || got.Domain != "example.com" {
			t.Errorf("%s: got %+v\n%q", f.name, got, out)
		}
		signed.add("permerror: " + got.Reason)
	}
	if signed.total() == 0 {
		t.Error("opendkim-testmsg signed nothing")
	}
	signed.log(t, "messages signed by opendkim-testmsg")
	refused.log(t, "exclusions")
}
