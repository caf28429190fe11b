package main

import (
	"fmt"
	"strings"
	"testing"
)

// Each file that an option names is looked at, and what is wrong with it told with its place.
func TestConfigCheckLooksAtTheFilesThatAreNamed(t *testing.T) {
	dir := tree(t, map[string]string{"empty": "\n", "text": "no PEM\n", "password": "secret\n", "users": "ann:no hash\n", "nobody": ""})
	key := keyFile(t)
	const reports = "reports: {from: dmarc@here.example, relay: 'inet:127.0.0.1:25', "
	const database = "journal: {store: postgres, url: 'postgres://a@127.0.0.1/b"
	const pages = "web: {listen: 'inet:127.0.0.1:8080', "
	for _, row := range []struct {
		name, text string
		want       string // of the warning, behind the name of the file; FILE is the one that is named
	}{
		{name: "a key", text: reports + "dkim: [{selector: s1, key_file: " + key + "}]}"},
		{name: "no key", text: "\n" + reports + "dkim: [{selector: s1, key_file: DIR/none}]}",
			want: ":2:72: reports.dkim[0].key_file: open DIR/none: no such file or directory"},
		{name: "the second key is none", text: reports + "dkim: [{selector: s1, key_file: " + key + "}, {selector: s2, key_file: DIR/text}]}", want: "reports.dkim[1].key_file: DIR/text: no PEM"},
		{name: "a folder for a key", text: reports + "dkim: [{selector: s1, key_file: DIR}]}", want: "key_file: read DIR: is a directory"},
		{name: "no reports are sent", text: "reports: {dkim: [{selector: s1, key_file: DIR/none}]}"},
		{name: "a password of the relay", text: reports + "user: a, password_file: DIR/password}"},
		{name: "no password of the relay", text: reports + "user: a, password_file: DIR/none}", want: ":1:89: reports.password_file: open DIR/none: no such file"},
		{name: "an empty password of the relay", text: reports + "user: a, password_file: DIR/empty}", want: "reports.password_file: DIR/empty is empty"},
		{name: "a password of the database", text: database + "', password_file: DIR/password}"},
		{name: "no password of the database", text: database + "', password_file: DIR/none}", want: "journal.password_file: open DIR/none: no such file"},
		{name: "no certificate of the database's authority", text: database + "?sslmode=verify-full&sslrootcert=DIR/none'}", want: ":1:33: journal.url: "},
		{name: "no users, and nothing else lets anybody in", text: pages + "users_file: DIR/none}", want: ":1:50: web.users_file: stat DIR/none: no such file or directory, so nobody may look at the pages; alignd web passwd NAME makes it"},
		{name: "no users by default", text: pages + "timeout: 1s}", want: "web.users_file: "},
		{name: "no users, and a proxy", text: pages + "users_file: DIR/none, proxy: {header: X-User, networks: [127.0.0.1]}}"},
		{name: "no users, and the rights of a socket", text: "web: {listen: 'unix:/run/web', users_file: DIR/none}"},
		{name: "a file of users that is none", text: pages + "users_file: DIR/users}", want: "web.users_file: "},
		{name: "no certificate", text: pages + "users_file: '', tls: {cert_file: DIR/none, key_file: " + key + "}}", want: "web.tls.cert_file: open DIR/none: no such file"},
		{name: "no key of the certificate", text: pages + "users_file: '', tls: {cert_file: DIR/text, key_file: DIR/none}}", want: "web.tls.key_file: open DIR/none: no such file"},
		{name: "no PEM in a certificate", text: pages + "users_file: '', tls: {cert_file: DIR/text, key_file: " + key + "}}", want: ":1:59: web.tls: tls: failed to find any PEM data"},
		{name: "pages are off", text: "web: {users_file: DIR/none, tls: {cert_file: DIR/none, key_file: DIR/none}}"},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := write(t, "alignd.yaml", strings.ReplaceAll(row.text, "DIR", dir)+"\n")
			got := alignd(t, "", "config", "check", file)
			warned := strings.ReplaceAll(strings.ReplaceAll(got.stderr, file, ""), dir, "DIR")
			if got.status != 0 || !strings.Contains(got.stdout, ": ok") || (row.want == "") != (warned == "") || !strings.Contains(warned, row.want) || strings.Contains(got.stderr, "secret") {
				t.Errorf("%+v: %s; want %q", got, warned, row.want)
			}
		})
	}
}

// Exceptions and recipients are a part of the configuration: without them it is faulty.
func TestConfigCheckWithoutItsOwnFiles(t *testing.T) {
	for _, row := range []struct{ option, text string }{
		{option: "exceptions", text: "exceptions: [{file: none.yaml}]\n"},
		{option: "recipients", text: "profiles: [{id: a, file: none, honor: {reject: tag}}]\n"},
	} {
		file := write(t, "alignd.yaml", row.text)
		got := alignd(t, "", "config", "check", file)
		if want := fmt.Sprintf("alignd: %s:1:", file); got.status != 2 || !strings.HasPrefix(got.stderr, want) || !strings.Contains(got.stderr, "no such file") {
			t.Errorf("%s: %+v", row.option, got)
		}
	}
}
