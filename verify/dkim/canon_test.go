package dkim

import (
	"crypto/sha256"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"

	"alignd/header"
	"alignd/resolver"
	"alignd/verify/internal/testsign"
)

// bodySeeds are bodies in which something has been done wrong somewhere.
var bodySeeds = []string{
	"", "\r\n", "\r\n\r\n", " ", " \r\n", " \t\r\n\r\n", "a", "a\r\n", "a\r", "a\r\r\n", "a \r\r\n", "\r", "\n", "\r\r", "\n\n",
	"a\rb\r\n", "a\nb\r\n", "a \n b\r\n", "a \r b\r\n", " C \r\nD \t E\r\n\r\n\r\n", "a  b\tc \t d\r\n", "\ta\r\n", "a\r\n\r\nb",
	"a\r\n \r\nb\r\n \r\n", "x\x00y \xff\r\n", "a\r\n\r", "a\r\n\r\n\n", "a\r\n \n", "0123456 89", "0123456\t89", "01234567 \r\n", "0123456 \r\n89abcdef",
	strings.Repeat("line of text, \r\n", 600), strings.Repeat("\r\n", 5000) + "x", strings.Repeat("x", 9000), strings.Repeat(" ", 9000) + "x",
}

// bodyHashes runs a body through a Body in chunks cut by the octets of cuts.
func bodyHashes(body string, lengths []int64, cuts []byte) (got []BodyResult) {
	var params []*Params
	var b Body
	for _, l := range lengths {
		for _, relaxed := range []bool{false, true} {
			want := testsign.SimpleBody(body)
			if relaxed {
				want = testsign.RelaxedBody(body)
			}
			if l >= 0 && l < int64(len(want)) {
				want = want[:l]
			}
			sum := sha256.Sum256([]byte(want))
			p := &Params{BodyRelaxed: relaxed, Length: l, bodyHash: sum[:]}
			b.Register(p)
			params = append(params, p)
		}
	}
	for rest, i := []byte(body), 0; len(rest) > 0; i++ {
		n := len(rest)
		if len(cuts) > 0 {
			n = min(n, int(cuts[i%len(cuts)])+1)
		}
		b.Write(rest[:n])
		rest = rest[n:]
	}
	for _, p := range params {
		got = append(got, b.Result(p))
	}
	b.Reset()
	return got
}

func checkBody(t *testing.T, body string, cuts []byte) {
	t.Helper()
	sizes := [2]int64{int64(len(testsign.SimpleBody(body))), int64(len(testsign.RelaxedBody(body)))}
	lengths := []int64{-1, 0, 1, sizes[1] / 2, sizes[1], sizes[0], sizes[0] + 1}
	for i, r := range bodyHashes(body, lengths, cuts) {
		size, l := sizes[i%2], lengths[i/2]
		want := BodyResult{Verified: true, Size: size}
		if l > size {
			want.Verified, want.Short = false, true
		} else if l >= 0 {
			want.Unsigned = size - l
		}
		if r != want {
			t.Errorf("body %.200q in chunks of %v+1, l=%d, relaxed %v: got %+v, want %+v", body, cuts, l, i%2 == 1, r, want)
		}
	}
}

func TestBodyCanonicalizationEqualsTheReference(t *testing.T) {
	for _, body := range bodySeeds {
		for _, cuts := range [][]byte{nil, {0}, {1}, {2, 0}, {7}, {8, 3, 0}} {
			checkBody(t, body, cuts)
		}
	}
}

// Bodies of few kinds of pieces meet all corners of looking at eight octets and at
// a window at a time, which longer and more varied texts seldom do.
func TestBodiesOfPiecesEqualTheReference(t *testing.T) {
	pieces := []string{"\r\n", "\r\n", " ", "\t", "\r", "\n", "a", "0123456", "01234567", strings.Repeat("x", 29),
		strings.Repeat("x", window-1), strings.Repeat("01234\r\n", window/7), strings.Repeat("\r\n", window/2)}
	random := rand.New(rand.NewPCG(1, 2))
	for range 30_000 {
		var body strings.Builder
		for range random.IntN(20) {
			body.WriteString(pieces[random.IntN(len(pieces))])
		}
		relaxed := &Params{BodyRelaxed: true, Length: -1}
		sum := sha256.Sum256([]byte(testsign.RelaxedBody(body.String())))
		relaxed.bodyHash = sum[:]
		var b Body
		b.Register(relaxed)
		cut := random.IntN(body.Len() + 1)
		b.Write([]byte(body.String()[:cut]))
		b.Write([]byte(body.String()[cut:]))
		if got := b.Result(relaxed); !got.Verified {
			t.Fatalf("body %q cut at %d: got %+v", body.String(), cut, got)
		}
		b.Reset()
	}
}

func FuzzBody(f *testing.F) {
	for _, body := range bodySeeds {
		if len(body) < 100 { // the fuzzer works on short ones faster
			f.Add(body, []byte{2, 0, 9})
		}
	}
	f.Fuzz(func(t *testing.T, body string, cuts []byte) { checkBody(t, body, cuts) })
}

// RFC 6376 sections 3.4.3 and 3.4.4 give the hashes of the empty body.
func TestEmptyBody(t *testing.T) {
	for _, tt := range []struct {
		name    string
		relaxed bool
		want    string
	}{
		{name: "simple: CRLF", want: "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="},
		{name: "relaxed: nothing", relaxed: true, want: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, body := range []string{"", "\r\n", "\r\n\r\n"} {
				sum, _ := base64.StdEncoding.DecodeString(tt.want)
				p := &Params{BodyRelaxed: tt.relaxed, Length: -1, bodyHash: sum}
				var b Body
				b.Register(p)
				b.Write([]byte(body))
				if !b.Result(p).Verified {
					t.Errorf("body %q does not hash to %s", body, tt.want)
				}
			}
		})
	}
}

var fieldSeeds = []string{
	"A: X", "B : Y\t\r\n\tZ  ", "Subject:", "Subject: ", "Subject:\r\n ", "subJECT\t :\t a \r\n  b\r\n\t\r\n c", "X:a\rb", "X: a\nb", "X:\r", "X:a\r\n", "X:a\r\nb",
	"X: \r\r\n y", "X:\xff\xfe z", "X:  a\r\n\r\n b",
}

func checkField(t *testing.T, raw string) {
	t.Helper()
	name, value, _ := strings.Cut(raw, ":")
	got := string(appendRelaxed(nil, []byte(name), []byte(value)))
	if want := testsign.RelaxedField(raw); got != want {
		t.Errorf("field %q: got %q, want %q", raw, got, want)
	}
}

func TestRelaxedFieldEqualsTheReference(t *testing.T) {
	for _, raw := range fieldSeeds {
		checkField(t, raw)
	}
}

func FuzzField(f *testing.F) {
	for _, raw := range fieldSeeds {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		name, _, ok := strings.Cut(raw, ":")
		for i := 0; i < len(name); i++ {
			ok = ok && name[i] < 0x80 // strings.ToLower knows more letters than RFC 5322
		}
		if ok {
			checkField(t, raw)
		}
	})
}

// FuzzTags: what is read covers the list, and reads again the same.
func FuzzTags(f *testing.F) {
	for _, list := range []string{"a=b", " v = 1 ;\r\n a=b=c ; ", "a=b;;", "a=b;a=c", "=", "a", "a=\r\n", "a=\r\n b", "p=;", "a=\xc3\xa9", ";;x-y=1;"} {
		f.Add([]byte(list), true)
		f.Add([]byte(list), false)
	}
	f.Fuzz(func(t *testing.T, list []byte, how bool) {
		tags, err := parseTags(list, grammar(how))
		if err != nil {
			return
		}
		var printed []string
		for _, tag := range tags {
			if list[tag.start-1] != '=' || tag.end < len(list) && list[tag.end] != ';' {
				t.Fatalf("%q: value of %s at %d:%d", list, tag.name, tag.start, tag.end)
			}
			printed = append(printed, tag.name+"="+string(tag.value))
		}
		again, err := parseTags([]byte(strings.Join(printed, ";")), grammar(how))
		if err != nil || len(again) != len(tags) {
			t.Fatalf("%q: printed %q, read back %v", list, printed, err)
		}
		for i := range tags {
			if again[i].name != tags[i].name || string(again[i].value) != string(tags[i].value) {
				t.Fatalf("%q: tag %d read back as %+v", list, i, again[i])
			}
		}
	})
}

// FuzzKey: no key record is both usable and empty of keys.
func FuzzKey(f *testing.F) {
	f.Add("v=DKIM1; k=rsa; p=" + testsign.RSA(1024).Public())
	f.Add("p=" + testsign.RSA(512).PublicPKCS1())
	f.Add("k=ed25519; h=sha256:sha1; s=email; t=y:s; n=note; p=" + testsign.Ed25519('a').Public())
	f.Add("v=DKIM1; p=")
	f.Fuzz(func(t *testing.T, txt string) {
		k, fault := parseKey([]byte(txt))
		if fault != "" {
			return
		}
		if has := (k.public != nil) != (k.ed25519 != nil); has != (k.problem == nil) {
			t.Fatalf("%q: %+v", txt, k)
		}
		k.fits(&Params{})
		if k.public != nil {
			k.verify(new([32]byte), make([]byte, (k.bits+7)/8))
		}
	})
}

// FuzzParse: an accepted signature has what verification relies on, and
// blanking b= leaves all the rest of the field.
func FuzzParse(f *testing.F) {
	f.Add("v=1; a=rsa-sha256; c=relaxed/simple; d=example.com; s=sel; h=From:To; bh=AAAA; b=AAAA", byte(0))
	f.Add("v=1;a=ed25519-sha256;d=example.com;s=a.b;h=from;bh=AA==;i=a=40b@x.example.com;l=1;t=1;x=2;q=dns/txt;b = \r\n AAAA", byte(0))
	f.Add("i=1; a=rsa-sha256; cv=none; d=example.com; s=s; b=AAAA", byte(2))
	f.Fuzz(func(t *testing.T, value string, kind byte) {
		var fields header.Fields
		fields.Add([]byte("DKIM-Signature"), []byte(value))
		p, bad := parse(Kind(kind%3), fields.At(0))
		if bad != nil {
			if bad.Reason == "" {
				t.Fatalf("%q: no reason", value)
			}
			return
		}
		raw := string(p.Field.Raw)
		own, rest := raw[p.blank[0]:p.blank[1]], raw[:p.blank[0]]+raw[p.blank[1]:]
		if string(stripFWS([]byte(own))) != p.B || p.keyName == "" || len(p.signature) == 0 {
			t.Fatalf("%q: b= is %q, %+v", value, own, p)
		}
		again := new(header.Fields)
		_, v, _ := strings.Cut(rest, ":")
		again.Add([]byte("DKIM-Signature"), []byte(v))
		h1, h2 := NewHeaderHash(), NewHeaderHash()
		h1.Own(p)
		h2.buf = append(h2.buf, rest...)
		if p.HeaderRelaxed {
			h2.buf = append(h2.buf[:0], testsign.RelaxedField(rest)...)
		}
		if string(h1.buf) != string(h2.buf) {
			t.Fatalf("%q: own field %q, want %q", value, h1.buf, h2.buf)
		}
	})
}

// TestKeysOfOneAnswerAreFew: an answer may hold hundreds.
func TestKeysOfOneAnswerAreFew(t *testing.T) {
	var a resolver.Answer
	for range 100 {
		a.TXT = append(a.TXT, "v=DKIM1; p="+testsign.RSA(2048).Public())
	}
	keys := parseKeys(&a).keys
	if len(keys) != maxKeys || cap(keys) != maxKeys {
		t.Errorf("%d keys, room for %d, want %d", len(keys), cap(keys), maxKeys)
	}
	for _, k := range keys {
		if k.problem != nil {
			t.Errorf("problem %+v", k.problem)
		}
	}
}

// The hash of the body that names a message is at hand whatever its signatures ask.
func TestBodySum(t *testing.T) {
	params := map[string]*Params{
		"none": nil, "relaxed": {BodyRelaxed: true, Length: -1}, "simple": {Length: -1},
		"relaxed with l=": {BodyRelaxed: true, Length: 3}, "simple with l=": {Length: 0},
	}
	sum := func(p *Params, chunks ...string) [32]byte {
		var b Body
		defer b.Reset()
		if p != nil {
			b.Register(p)
		}
		for _, c := range chunks {
			b.Write([]byte(c))
		}
		return b.Sum()
	}
	for name, p := range params {
		one := sum(p, "some text\r\nand more\r\n")
		if two := sum(p, "some te", "xt\r", "\nand more\r\n"); one != two {
			t.Errorf("%s: chunks matter", name)
		}
		if other := sum(p, "some text\r\nand less\r\n"); one == other {
			t.Errorf("%s: another body has the same sum", name)
		}
		if empty := sum(p); empty == one || empty != sum(p, "") {
			t.Errorf("%s: an empty body", name)
		}
	}
}
