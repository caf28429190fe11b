package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"alignd/evidence"
)

// TestJSONShowsEveryField changes each value of a record in turn.
func TestJSONShowsEveryField(t *testing.T) {
	g := newGenerator(9)
	g.filled, g.maxList = true, 1
	r := g.record()
	r.Evidence.ARC.Result, r.Evidence.IPRev.Result, r.Evidence.From.Problem = "pass", "pass", ""
	r.Evidence.Failed[0].RCode, r.Verdict.Evaluation = "", 1
	whole := string(JSON(r, Rendering{}))
	walkValues(reflect.ValueOf(r).Elem(), "Record", func(path string, v reflect.Value) {
		if strings.HasSuffix(path, ".RCode") || strings.HasSuffix(path, ".AlignedDKIM[]") {
			return // shown instead of Why; an index may be 0
		}
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		if v.SetZero(); !v.Equal(old) && string(JSON(r, Rendering{})) == whole {
			t.Errorf("%s is not shown", path)
		}
		v.Set(old)
	})
}

func TestJSONIsValidWhateverTheRecord(t *testing.T) {
	for seed := range uint64(300) {
		r := newGenerator(seed).record()
		r.Verdict.Evaluation = int(seed%5) - 1
		b := JSON(r, Rendering{AuthenticationResults: "x\xff"})
		if !json.Valid(b) || !utf8.Valid(b) || bytes.ContainsFunc(b, func(c rune) bool { return c < ' ' }) {
			t.Fatalf("seed %d: %q", seed, b)
		}
		if key := doubled(t, b); key != "" {
			t.Fatalf("seed %d: key %s twice", seed, key)
		}
	}
}

// doubled is a key that an object has twice.
func doubled(t *testing.T, b []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(b))
	var walk func() string
	walk = func() string {
		token, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for open := token; (open == json.Delim('{') || open == json.Delim('[')) && dec.More(); {
			if open == json.Delim('{') {
				key, _ := dec.Token()
				if name := key.(string); seen[name] {
					return name
				} else if seen[name] = true; name != strings.ToLower(name) {
					t.Errorf("key %s", name)
				}
			}
			if found := walk(); found != "" {
				return found
			}
		}
		if token == json.Delim('{') || token == json.Delim('[') {
			dec.Token()
		}
		return ""
	}
	return walk()
}

func TestJSONLosesNoOctet(t *testing.T) {
	for _, s := range []string{
		"", "plain", "j\xf6rg@bank.example", "\xff", `a\xf6`, `a\` + "\xf6", `\\` + "\xe2\x80", "\"\\\b\f\n\r\t\x00\x1f\x7f", "é\u2028\u2029\U0001f600",
	} {
		r := ordinary()
		r.Evidence.MailFrom = s
		r.Evidence.Recipients = []evidence.Recipient{{Address: "a@b.example"}, {Address: s}}
		var shown struct {
			MailFrom   string `json:"mail_from"`
			Recipients []string
			Escaped    []string
		}
		if err := json.Unmarshal(JSON(r, Rendering{}), &shown); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if utf8.ValidString(s) {
			if shown.MailFrom != s || len(shown.Escaped) != 0 {
				t.Errorf("%q: got %q, escaped %v", s, shown.MailFrom, shown.Escaped)
			}
			continue
		}
		if want := []string{"/mail_from", "/recipients/1"}; !reflect.DeepEqual(shown.Escaped, want) {
			t.Errorf("%q: escaped %v, want %v", s, shown.Escaped, want)
		}
		for _, text := range []string{shown.MailFrom, shown.Recipients[1]} {
			if got := unescape(text); got != s {
				t.Errorf("%q: shown as %q, which reads %q", s, text, got)
			}
		}
	}
}

// unescape is what a script does with a string that "escaped" lists.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], `\\`):
			b.WriteByte('\\')
			i++
		case strings.HasPrefix(s[i:], `\x`):
			n, _ := strconv.ParseUint(s[i+2:i+4], 16, 8)
			b.WriteByte(byte(n))
			i += 3
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func TestJSONOfADecodedRecordIsTheSame(t *testing.T) {
	r := ordinary()
	back, err := Decode(Append(nil, r))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := JSON(back, exampleRendering()), JSON(r, exampleRendering()); !bytes.Equal(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestJSONOfAnEmptyRecordKeepsItsPromises(t *testing.T) {
	var shown struct {
		SPF, ARC, DMARC struct{ Result, Policy string }
		DKIM            []any
		HELO, IPRev     any
		Questions       []any
	}
	if err := json.Unmarshal(JSON(new(Record), Rendering{}), &shown); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(shown.SPF.Result, " ", shown.ARC.Result, " ", shown.DMARC.Result, " ", shown.DMARC.Policy)
	if want := "none none none none"; got != want || shown.DKIM == nil || shown.HELO != nil || shown.IPRev != nil || shown.Questions == nil {
		t.Errorf("got %s, %+v", got, shown)
	}
}

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{
		"Time": "time", "QueueID": "queue_id", "MTA": "mta", "DKIMSkipped": "dkim_skipped", "MailFromDomain": "mail_from_domain",
		"HELO": "helo", "SPFAligned": "spf_aligned", "B": "b", "NP": "np", "AuthservID": "authserv_id", "OtherRUA": "other_rua",
	} {
		if got := snake(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	r := ordinary()
	b.ReportAllocs()
	for b.Loop() {
		JSON(r, Rendering{})
	}
}
