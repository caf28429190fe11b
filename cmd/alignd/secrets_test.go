package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alignd/config"
	"alignd/header"
	"alignd/record"
	"alignd/verify"
)

// The key and the sample of a message are made with sampling_secret; a record,
// which may leave the host, must not tell it.
func TestNoRecordHoldsASecretOfTheConfiguration(t *testing.T) {
	const secret = "correct horse battery staple"
	cfg, err := config.Load(write(t, "alignd.yaml", "sampling_secret: "+secret+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := settings(cfg)
	if string(s.SamplingSecret) != secret {
		t.Fatal("the secret is not in force")
	}
	lookup, closeLookup, err := (&checkFlags{zone: write(t, "zone", plainZone)}).lookuper(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLookup()
	env, err := (&checkFlags{ip: "192.0.2.1", mailFrom: "a@example.com"}).envelope()
	if err != nil {
		t.Fatal(err)
	}
	m := verify.Begin(t.Context(), lookup, &s.Verify, env)
	defer m.Release()
	fields, body, err := header.Read(bufio.NewReader(strings.NewReader(plainMessage)), header.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := feed([]*verify.Message{m}, fields, body); err != nil {
		t.Fatal(err)
	}
	j := s.Judge(m.Finish(t.Context()), m, s.MarksOf("mx.here.test", m.Fields()), nil)
	r := &record.Record{Evidence: *j.Evidence, Verdict: j.Verdict, Basis: s.Basis}
	encoded, shown := record.Append(nil, r), record.JSON(r, record.Rendering{AuthenticationResults: j.Results.Unfolded()})
	for _, told := range [][]byte{encoded, shown} {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
			if bytes.Contains(bytes.ToLower(told), []byte(strings.ToLower(form))) {
				t.Errorf("%q tells the secret", told)
			}
		}
	}
	// Whoever adds a secret to the configuration adds it to this test. password_file is the
	// name of a file, of journal and of reports.
	if secrets := secretKeys(t); !slices.Equal(secrets, []string{"sampling_secret", "password_file", "password_file"}) {
		t.Errorf("the configuration has the secrets %v", secrets)
	}
}

// secretKeys are the keys of the configuration whose names say that they are secret.
func secretKeys(t *testing.T) []string {
	t.Helper()
	var list []string
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
		case reflect.Struct:
			if seen[typ] {
				return
			}
			seen[typ] = true
			for i := range typ.NumField() {
				f := typ.Field(i)
				if secretName.MatchString(f.Tag.Get("yaml")) {
					list = append(list, f.Tag.Get("yaml"))
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[config.Config]())
	if len(seen) < 10 {
		t.Errorf("only %d types were looked at", len(seen))
	}
	return list
}

var secretName = regexp.MustCompile("secret|password|passphrase|credential|private_key|api_?key")
