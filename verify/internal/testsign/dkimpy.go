package testsign

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

//go:embed dkimpy.py
var script string

// Job is one message for dkimpy to sign (Seals 0) or to seal that many times,
// as selector sel of example.org.
type Job struct {
	Message   []byte   `json:"message"`
	Key       string   `json:"key"` // PEM, or the base64 seed of an Ed25519 key
	Algorithm string   `json:"algorithm"`
	Header    string   `json:"header"` // canonicalizations
	Body      string   `json:"body"`
	Names     []string `json:"names"`
	Length    bool     `json:"length"` // write l=
	Seals     int      `json:"seals"`
	Footer    bool     `json:"footer"` // each hop but the first adds a line
}

// Private is the key as Job wants it.
func (k *Key) Private() string {
	if k.rsa != nil {
		text, err := files.ReadFile(map[int]string{64: "keys/rsa512.pem", 128: "keys/rsa1024.pem", 256: "keys/rsa2048.pem"}[k.rsa.Size()])
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	return base64.StdEncoding.EncodeToString(k.ed25519.Seed())
}

// Dkimpy has an independent implementation do the jobs. The test is skipped
// where Debian's python3-dkim is not installed.
func Dkimpy(t *testing.T, jobs []Job) []string {
	t.Helper()
	python := ""
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(p, "-c", "import dkim, nacl, authres").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("left out: messages by dkimpy (needs python3-dkim, python3-nacl and python3-authres; make test installs them)")
	}
	var in bytes.Buffer
	for _, j := range jobs {
		line, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = &in
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dkimpy: %v\n%s", err, complaint.String())
	}
	var signed []string
	for line := range strings.Lines(string(out)) {
		msg, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		signed = append(signed, string(msg))
	}
	if len(signed) != len(jobs) {
		t.Fatalf("dkimpy did %d of %d jobs\n%s", len(signed), len(jobs), complaint.String())
	}
	return signed
}
