package iprev

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/internal/owned"
	"alignd/resolver"
)

func zone(t *testing.T, text string) *resolver.Zone {
	t.Helper()
	z, err := resolver.ParseZone(strings.NewReader("$ORIGIN .\n$TTL 300\n"+text), "test")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// eleven are PTR records for 192.0.2.1, the last of which is the only good one.
func eleven() string {
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, "1.2.0.192.in-addr.arpa. IN PTR a%d.example.\n", i)
	}
	return b.String() + "1.2.0.192.in-addr.arpa. IN PTR z.example.\nz.example. IN A 192.0.2.1\n"
}

func TestCheck(t *testing.T) {
	const six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
	tests := []struct {
		name, ip, zone string
		want           evidence.IPRev
	}{
		{name: "pass when the name has the address, RFC 8601 section 3", ip: "192.0.2.1",
			zone: "1.2.0.192.in-addr.arpa. IN PTR Mail.Example.\nmail.example. IN A 192.0.2.1\n",
			want: evidence.IPRev{Result: evidence.Pass, Names: []string{"mail.example"}}},
		{name: "pass for IPv6 by AAAA", ip: "2001:db8::1",
			zone: six + " IN PTR mail.example.\nmail.example. IN AAAA 2001:db8::1\n",
			want: evidence.IPRev{Result: evidence.Pass, Names: []string{"mail.example"}}},
		{name: "an IPv4-mapped address is IPv4", ip: "::ffff:192.0.2.1",
			zone: "1.2.0.192.in-addr.arpa. IN PTR mail.example.\nmail.example. IN A 192.0.2.1\n",
			want: evidence.IPRev{Result: evidence.Pass, Names: []string{"mail.example"}}},
		{name: "all confirmed names are listed, a temporary error beside them does not count", ip: "192.0.2.1",
			zone: "1.2.0.192.in-addr.arpa. IN PTR a.example.\n1.2.0.192.in-addr.arpa. IN PTR b.example.\n1.2.0.192.in-addr.arpa. IN PTR c.example.\n1.2.0.192.in-addr.arpa. IN PTR d.example.\n" +
				"a.example. IN A 192.0.2.1\nb.example. IN A 192.0.2.9\nb.example. IN A 192.0.2.1\nc.example. IN A 192.0.2.9\nd.example. IN SERVFAIL\n",
			want: evidence.IPRev{Result: evidence.Pass, Names: []string{"a.example", "b.example"}, Unconfirmed: []string{"c.example", "d.example"}}},
		{name: "permerror without PTR, section 2.7.3", ip: "192.0.2.1",
			want: evidence.IPRev{Result: evidence.PermError, Reason: reasonNoPTR}},
		{name: "fail when the name has another address", ip: "192.0.2.1",
			zone: "1.2.0.192.in-addr.arpa. IN PTR mail.example.\nmail.example. IN A 192.0.2.2\n",
			want: evidence.IPRev{Result: evidence.Fail, Reason: reasonMismatch, Unconfirmed: []string{"mail.example"}}},
		{name: "fail when the name does not exist", ip: "192.0.2.1",
			zone: "1.2.0.192.in-addr.arpa. IN PTR mail.example.\n",
			want: evidence.IPRev{Result: evidence.Fail, Reason: reasonMismatch, Unconfirmed: []string{"mail.example"}}},
		{name: "fail when the record holds no host name", ip: "192.0.2.1",
			zone: "1.2.0.192.in-addr.arpa. IN PTR a\\ b.example.\n",
			want: evidence.IPRev{Result: evidence.Fail, Reason: reasonUnusable}},
		{name: "temperror when the reverse look-up fails for now", ip: "192.0.2.1",
			zone: "1.2.0.192.in-addr.arpa. IN SERVFAIL\n",
			want: evidence.IPRev{Result: evidence.TempError, Reason: reasonTemporary}},
		{name: "temperror when nothing is confirmed and one look-up failed for now", ip: "192.0.2.1",
			zone: "1.2.0.192.in-addr.arpa. IN PTR a.example.\n1.2.0.192.in-addr.arpa. IN PTR b.example.\na.example. IN TIMEOUT\n",
			want: evidence.IPRev{Result: evidence.TempError, Reason: reasonTemporary, Unconfirmed: []string{"a.example", "b.example"}}},
		{name: "names behind the tenth are ignored", ip: "192.0.2.1", zone: eleven(),
			want: evidence.IPRev{Result: evidence.Fail, Reason: reasonMismatch, Unconfirmed: strings.Fields("a0.example a1.example a2.example a3.example a4.example a5.example a6.example a7.example a8.example a9.example")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Check(context.Background(), zone(t, tt.zone), netip.MustParseAddr(tt.ip))
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Check(%s) with zone\n%s got %+v\nwant %+v", tt.ip, tt.zone, got, tt.want)
			}
		})
	}
}

func TestInvalidAddressIsNotChecked(t *testing.T) {
	if got := Check(context.Background(), zone(t, ""), netip.Addr{}); !reflect.DeepEqual(got, evidence.IPRev{}) {
		t.Errorf("got %+v, want the zero value", got)
	}
}

// lookup is a Lookuper made of a function.
type lookup func(name string, qtype uint16) (*resolver.Answer, error)

func (f lookup) Lookup(_ context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	return f(name, qtype)
}

func TestSpentBudgetIsNotTemporary(t *testing.T) {
	spent := &resolver.Error{Err: resolver.ErrBudget}
	ip := netip.MustParseAddr("192.0.2.1")
	got := Check(context.Background(), lookup(func(string, uint16) (*resolver.Answer, error) { return nil, spent }), ip)
	if got.Result != evidence.PermError || got.Reason != reasonBudget {
		t.Errorf("refused PTR look-up: got %+v", got)
	}
	got = Check(context.Background(), lookup(func(name string, _ uint16) (*resolver.Answer, error) {
		if strings.HasSuffix(name, "arpa.") {
			return &resolver.Answer{PTR: []string{"a.example", "b.example"}}, nil
		}
		return nil, spent
	}), ip)
	if got.Result != evidence.Fail {
		t.Errorf("refused forward look-up: got %+v", got)
	}
}

func TestPanicReachesTheCaller(t *testing.T) {
	defer func() {
		got, _ := recover().(*owned.Panic)
		if got == nil || got.Value != "broken" {
			t.Errorf("recovered %v, want the look-up's panic", got)
		}
	}()
	Check(context.Background(), lookup(func(name string, _ uint16) (*resolver.Answer, error) {
		if strings.HasSuffix(name, "arpa.") {
			return &resolver.Answer{PTR: []string{"a.example", "b.example"}}, nil
		}
		panic("broken")
	}), netip.MustParseAddr("192.0.2.1"))
}
