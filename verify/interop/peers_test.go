package interop

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"sync"
	"testing"
)

// job is one order for testdata/peers.py, which documents it.
type job struct {
	Do      string `json:"do"`
	Message []byte `json:"message"`

	// sign
	By        string   `json:"by,omitempty"`
	Algorithm string   `json:"algorithm,omitempty"`
	PEM       string   `json:"pem,omitempty"`
	Seed      string   `json:"seed,omitempty"`
	Selector  string   `json:"selector,omitempty"`
	Domain    string   `json:"domain,omitempty"`
	Header    string   `json:"header,omitempty"`
	Body      string   `json:"body,omitempty"`
	Names     []string `json:"names,omitempty"`
	Oversign  []string `json:"oversign,omitempty"`
	Length    int      `json:"length"`
	Identity  string   `json:"identity,omitempty"`
	Copy      bool     `json:"copy,omitempty"`
	Lifetime  int      `json:"lifetime,omitempty"`

	// verify, chain
	Keys keys `json:"keys,omitempty"`

	// seal
	Hops []hop `json:"hops,omitempty"`
}

// hop is one ARC Set that dkimpy adds, after changing the message.
type hop struct {
	Replace  []string `json:"replace,omitempty"` // old and new text
	Append   string   `json:"append,omitempty"`
	Server   string   `json:"server"` // authserv-id
	CV       string   `json:"cv"`
	Domain   string   `json:"domain"`
	Selector string   `json:"selector"`
	PEM      string   `json:"pem"`
	Names    []string `json:"names"`
}

// result is what peers.py answers.
type result struct {
	Error    string   `json:"error"`
	Field    []byte   `json:"field"`    // sign
	Messages [][]byte `json:"messages"` // seal: after each hop

	Dkimpy   string `json:"dkimpy"` // verify: pass, or what is wrong
	Opendkim string `json:"opendkim"`

	CV   string `json:"cv"` // chain: pass, fail, none, ended, crash
	Why  string `json:"why"`
	Sets []struct {
		Instance int  `json:"instance"`
		AMS      bool `json:"ams"`
		Seal     bool `json:"seal"`
	} `json:"sets"`
}

// peers does the jobs in two processes, side by side.
func peers(t *testing.T, jobs []job) []result {
	t.Helper()
	results := make([]result, len(jobs))
	half := len(jobs) / 2
	var wg sync.WaitGroup
	for _, part := range [][2]int{{0, half}, {half, len(jobs)}} {
		wg.Go(func() { batch(t, jobs[part[0]:part[1]], results[part[0]:part[1]]) })
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return results
}

func batch(t *testing.T, jobs []job, results []result) {
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Error(err)
		return
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/peers.py") // Debian's python has Debian's modules
	cmd.Stdin = bytes.NewReader(in)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("peers.py: %v\n%s", err, complaint.String())
		return
	}
	var got []result
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(jobs) {
		t.Errorf("peers.py did %d of %d jobs: %v", len(got), len(jobs), err)
		return
	}
	copy(results, got)
}
