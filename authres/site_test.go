package authres

import "testing"

func TestSite(t *testing.T) {
	for _, row := range []struct{ name, host, want string }{
		{name: "the parent of a host's name", host: "mx.here.test", want: "here.test"},
		{name: "only the parent", host: "mx1.mail.here.test", want: "mail.here.test"},
		{name: "a name right below a suffix stands for itself", host: "here.test", want: "here.test"},
		{name: "a suffix of several labels", host: "here.co.uk", want: "here.co.uk"},
		{name: "a host below that", host: "mx.here.co.uk", want: "here.co.uk"},
		{name: "a suffix of the private section", host: "victim.uk.com", want: "victim.uk.com"},
		{name: "a host below one of the private section", host: "mx.victim.uk.com", want: "victim.uk.com"},
		{name: "a host in a cloud", host: "ec2-192-0-2-1.compute-1.amazonaws.com", want: "ec2-192-0-2-1.compute-1.amazonaws.com"},
		{name: "a name that is a suffix itself", host: "uk.com", want: "uk.com"},
		{name: "a suffix by wildcard", host: "foo.kawasaki.jp", want: "foo.kawasaki.jp"},
		{name: "one label", host: "localhost", want: "localhost"},
		{name: "a name of a local network", host: "mx.lan", want: "mx.lan"},
		{name: "case, dot at the end and U-labels", host: "MX.Bücher.Example.", want: "xn--bcher-kva.example"},
		{name: "no domain", host: "[192.0.2.1]", want: "[192.0.2.1]"},
		{name: "nothing", host: "", want: ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Site(row.host); got != row.want {
				t.Errorf("Site(%q) = %q, want %q", row.host, got, row.want)
			}
		})
	}
}
