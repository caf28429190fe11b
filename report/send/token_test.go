package send

import (
	"fmt"
	"strings"
	"testing"

	"alignd/journal/state"
)

func TestNobodyForgesAToken(t *testing.T) {
	with := func(key string) *Sender {
		return New(nil, Settings{From: "dmarc@here.test", Bounces: "Dmarc-Bounces@here.test", Delimiter: "+", Key: []byte(key)})
	}
	s := with("key")
	right := s.envelopeFrom(&state.Item{ID: "1", Target: "r@shop.example"})
	second := s.envelopeFrom(&state.Item{ID: "2", Target: "r@shop.example"})
	token := strings.TrimSuffix(strings.TrimPrefix(right, "Dmarc-Bounces+"), "@here.test")
	if right == second || len(token) != tokenLength {
		t.Fatal(right, second)
	}
	for _, row := range []struct {
		name, address string
		want          bool
	}{
		{name: "as it left", address: right, want: true},
		{name: "an MTA that turns it all into upper case", address: strings.ToUpper(right), want: true},
		{name: "of another report", address: second, want: true},
		{name: "a name with the proof of another", address: "dmarc-bounces+" + token[:tokenHalf] + second[len(second)-len("@here.test")-tokenHalf:]},
		{name: "of a host with another key", address: with("other").envelopeFrom(&state.Item{ID: "1", Target: "r@shop.example"})},
		{name: "another octet", address: strings.Replace(right, token[:1], "g", 1)},
		{name: "too long", address: strings.Replace(right, "@", "0@", 1)},
		{name: "too short", address: strings.Replace(right, token, token[1:], 1)},
		{name: "another domain", address: strings.Replace(right, "here.test", "there.test", 1)},
		{name: "another local part", address: strings.Replace(right, "Dmarc-Bounces", "bob", 1)},
		{name: "another delimiter", address: strings.Replace(right, "+", "-", 1)},
		{name: "without a token", address: "dmarc-bounces@here.test"},
		{name: "no address", address: "dmarc-bounces+" + token},
		{name: "nothing", address: ""},
		{name: "two of them", address: right + "," + right},
		{name: "only zeros", address: fmt.Sprintf("dmarc-bounces+%024d@here.test", 0)},
	} {
		if got := s.Expects(row.address); got != row.want {
			t.Errorf("%s: %s: %v", row.name, row.address, got)
		}
	}
	keyless := New(nil, Settings{From: "dmarc@here.test", Bounces: "dmarc-bounces@here.test", Delimiter: "+"})
	if keyless.Expects(keyless.envelopeFrom(&state.Item{ID: "1", Target: "r@shop.example"})) {
		t.Error("a key that is not known yet lets everything in")
	}
}
