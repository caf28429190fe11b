package readers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// DovecotName is how the scores call Dovecot's parser.
const DovecotName = "Dovecot Sieve address"

// partsAtOnce is how many From fields one message holds. Dovecot reads at most
// 10000 parts.
const partsAtOnce = 2000

// sieve asks for the domains of the From of each part, with a key that none
// has: the trace then shows all that were compared with it.
const sieve = `require ["mime", "foreverypart"];
foreverypart { if address :mime :domain :is "from" "no such domain" { stop; } }
`

// Dovecot reads the values with the address test of Dovecot's Sieve
// interpreter, each as the From of one part of a message. It wraps ErrMissing
// where sieve-test is not installed. A value whose line ends are no folds is
// not a field in a message, so it has no answer.
func Dovecot(values []string) ([]Answer, error) {
	if _, err := exec.LookPath("sieve-test"); err != nil {
		return nil, fmt.Errorf("Dovecot (needs sieve-test of dovecot-sieve; make test installs it): %w", ErrMissing)
	}
	dir, err := os.MkdirTemp("", "alignd-sieve-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		return nil, err
	}
	var answers []Answer
	for len(values) > 0 {
		n := min(len(values), partsAtOnce)
		some, err := sieveTest(dir, values[:n])
		if err != nil {
			return nil, err
		}
		answers, values = append(answers, some...), values[n:]
	}
	return answers, nil
}

func sieveTest(dir string, values []string) ([]Answer, error) {
	var msg bytes.Buffer
	msg.WriteString("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n")
	for _, v := range values {
		if !isField(v) {
			v = "not.a@field.invalid"
		}
		fmt.Fprintf(&msg, "--B\nFrom: %s\n\nx\n", strings.ReplaceAll(v, "\r\n", "\n"))
	}
	msg.WriteString("--B--\n")
	script, mail, trace := filepath.Join(dir, "from.sieve"), filepath.Join(dir, "message"), filepath.Join(dir, "trace")
	if err := os.WriteFile(script, []byte(sieve), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(mail, msg.Bytes(), 0o644); err != nil {
		return nil, err
	}
	// Dovecot refuses to work as root, so root becomes nobody.
	uid, gid := os.Getuid(), os.Getgid()
	attr := &syscall.SysProcAttr{}
	if uid == 0 {
		uid, gid = 65534, 65534
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	cmd := exec.Command("sieve-test", "-c", "/dev/null", "-o", fmt.Sprintf("mail_uid=%d", uid), "-o", fmt.Sprintf("mail_gid=%d", gid),
		"-o", "first_valid_uid=1", "-o", "mail_home="+dir, "-o", "mail_location=maildir:"+dir+"/mail", "-t", trace, "-Tlevel=matching", script, mail)
	cmd.SysProcAttr = attr
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("sieve-test: %w\n%s", err, out)
	}
	text, err := os.ReadFile(trace)
	os.Remove(trace)
	if err != nil {
		return nil, err
	}
	return readTrace(string(text), values)
}

var compared = regexp.MustCompile("(?m)^ +[0-9]+:   matching value `(.*)'$")

// readTrace takes the domains from the trace. The first part is the
// multipart itself, which has no From.
func readTrace(trace string, values []string) ([]Answer, error) {
	parts := strings.Split(trace, "switched to next message part\n")
	if len(parts) != len(values)+1 {
		return nil, fmt.Errorf("sieve-test looked at %d parts for %d fields", len(parts)-1, len(values))
	}
	answers := make([]Answer, len(values))
	for i, v := range values {
		if !isField(v) {
			continue
		}
		shown := []string{}
		for _, m := range compared.FindAllStringSubmatch(parts[i+1], -1) {
			if !strings.HasSuffix(m[1], "...") { // cut at 80 octets
				shown = append(shown, "@"+m[1])
			}
		}
		answers[i] = Answer{DovecotName: shown}
	}
	return answers, nil
}

// isField reports whether each line of v but the first is a fold.
func isField(v string) bool {
	for i := range len(v) {
		if v[i] == '\n' && (i+1 == len(v) || v[i+1] != ' ' && v[i+1] != '\t') {
			return false
		}
	}
	return true
}
