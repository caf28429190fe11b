package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/storetest"
)

func fleetPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheRightsOfTheDocumentation: what docs/fleet.md has an admin paste lets one role write
// and another only read, also what is made later.
func TestTheRightsOfTheDocumentation(t *testing.T) {
	c := pgtest.Start(t)
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(fleetPage(t), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of SQL", len(blocks))
	}
	for i, database := range []string{"postgres", "alignd"} {
		for _, s := range strings.Split(strings.TrimSpace(blocks[i][1]), "\n") {
			execute(t, c.URL(database), s)
		}
	}
	execute(t, c.URL("postgres"), "ALTER ROLE alignd PASSWORD 'writes'", "ALTER ROLE alignd_reader PASSWORD 'reads'")
	file := func(password string) string {
		name := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(name, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	writer := Access{URL: c.TCP("alignd", "alignd"), PasswordFile: file("writes")}
	reader := Access{URL: c.TCP("alignd_reader", "alignd"), PasswordFile: file("reads")}
	s := Open(Options{Access: writer, Keep: 48 * time.Hour})
	defer s.Close()
	for i, back := range []int{5, 1, 0} {
		storetest.Take(t, s, spool.ID{1}, storetest.Batch(1+10*i, 10, storetest.Noon.AddDate(0, 0, -back)))
	}
	if err := s.Tidy(t.Context(), storetest.Noon); err != nil {
		t.Error(err)
	}
	r := NewReader(reader)
	defer r.Close()
	n := 0
	if err := r.Search(t.Context(), journal.Query{}, func(*journal.Entry) error { n++; return nil }); err != nil || n != 20 {
		t.Errorf("the reader finds %d, %v", n, err)
	}
	if survey, err := r.Survey(t.Context()); err != nil || survey.Records() != 20 {
		t.Errorf("survey: %+v, %v", survey, err)
	}
	if err := r.Scan(t.Context(), time.Time{}, time.Time{}, func(journal.Block) error { return nil }); err != nil {
		t.Error(err)
	}
	w := Open(Options{Access: reader})
	defer w.Close()
	if err := w.Take(t.Context(), spool.ID{2}, storetest.Batch(1, 1, storetest.Noon)); err == nil || !strings.Contains(err.Error(), "denied") && !strings.Contains(err.Error(), "must be owner") {
		t.Errorf("the reader writes: %v", err)
	}
}

// TestASchemaOfItsOwn: search_path names it, as docs/fleet.md says.
func TestASchemaOfItsOwn(t *testing.T) {
	if !strings.Contains(fleetPage(t), "`options=-csearch_path%3Dalignd`") {
		t.Error("docs/fleet.md says otherwise")
	}
	plain := pgtest.Database(t)
	execute(t, plain, "CREATE SCHEMA alignd", "CREATE TABLE public.records (song text)")
	place := database(plain + "&options=-csearch_path%3Dalignd")
	storetest.Take(t, place.Open(t, 0, 0), spool.ID{1}, storetest.Batch(1, 3, storetest.Noon))
	if got := storetest.Tokens(t, place, journal.Query{}); len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

// TestABackupIsRestored: a dump that is taken while records come in, restored elsewhere. What
// came later is taken again, as the loader does.
func TestABackupIsRestored(t *testing.T) {
	c := pgtest.Start(t)
	execute(t, c.URL("postgres"), "CREATE ROLE alignd LOGIN", "CREATE DATABASE alignd OWNER alignd")
	commands := regexp.MustCompile(`(?m)^    sudo -u postgres (.*)$`).FindAllStringSubmatch(fleetPage(t), -1)
	if len(commands) != 3 {
		t.Fatalf("%d commands in docs/fleet.md", len(commands))
	}
	dump := filepath.Join(c.Dir(), "alignd.dump")
	run := func(command string) {
		t.Helper()
		words := strings.Fields(strings.Replace(command, "/var/backups/alignd.dump", dump, 1))
		if _, err := c.Run(words[0], words[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	from := c.URL("alignd")
	place := database(from)
	s := Open(Options{Access: Access{URL: from}})
	defer s.Close()
	id := spool.ID{1}
	storetest.Take(t, s, id, storetest.Batch(1, 100, storetest.Noon))
	// The daemon is in the middle of a batch, which the dump is not to have half of.
	list := storetest.Batch(101, 50, storetest.Noon.Add(time.Hour))
	if err := s.prepare(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	tx, err := s.conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.advance(t.Context(), tx, id, 150); err != nil {
		t.Fatal(err)
	}
	if err := s.rows.send(t.Context(), s.conn, intoRecords); err != nil {
		t.Fatal(err)
	}
	run(commands[0][1])
	if err := s.blocks.send(t.Context(), s.conn, intoBlocks); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.Take(t, place.Open(t, 0, 0), id, storetest.Batch(101, 80, storetest.Noon.Add(time.Hour)))
	if got := storetest.Tokens(t, place, journal.Query{}); len(got) != 180 {
		t.Errorf("the old one has %d", len(got))
	}

	run(commands[1][1])
	run(commands[2][1])
	restored := database(c.URL("alignd_new"))
	if got := storetest.Tokens(t, restored, journal.Query{}); len(got) != 100 {
		t.Errorf("restored: %d", len(got))
	}
	again := restored.Open(t, 0, 0)
	storetest.Take(t, again, id, storetest.Batch(1, 200, storetest.Noon))
	got := storetest.Tokens(t, restored, journal.Query{})
	if len(got) != 200 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 200 {
		t.Errorf("afterwards: %d", len(got))
	}
	if err := again.Tidy(t.Context(), storetest.Noon.AddDate(0, 0, 1)); err != nil {
		t.Error(err)
	}
}

// TestTLS: the server is known by its certificate, or not talked to.
func TestTLS(t *testing.T) {
	c := pgtest.Start(t)
	ca := certify(t, c)
	if err := c.Set("ssl=on", "ssl_cert_file="+filepath.Join(c.Dir(), "server.crt"), "ssl_key_file="+filepath.Join(c.Dir(), "server.key")); err != nil {
		t.Fatal(err)
	}
	execute(t, c.URL("postgres"), "CREATE ROLE keeper LOGIN PASSWORD 'right'", "CREATE DATABASE kept OWNER keeper")
	t.Setenv("PGPASSWORD", "right")
	take := func(n int, parameters string) error {
		u := strings.Replace(c.TCP("keeper", "kept"), "sslmode=prefer", parameters, 1)
		s := Open(Options{Access: Access{URL: u}})
		defer s.Close()
		return s.Take(t.Context(), spool.ID{byte(n)}, storetest.Batch(1, 1, storetest.Noon))
	}
	if err := take(1, "sslmode=verify-full&sslrootcert="+ca); err != nil {
		t.Error(err)
	}
	if err := take(2, "sslmode=verify-full"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an authority that nobody knows: %v", err)
	}
	other := filepath.Join(t.TempDir(), "missing.pem")
	if err := take(3, "sslmode=verify-full&sslrootcert="+other); err == nil || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("without the file: %v", err)
	}
}

// certify writes a certificate for 127.0.0.1, and returns the file of who signed it.
func certify(t *testing.T, c *pgtest.Cluster) string {
	t.Helper()
	dir := c.Dir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "of the tests"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	server := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{
		ca: server, filepath.Join(dir, "server.crt"): server,
		filepath.Join(dir, "server.key"): pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if name == ca {
			continue
		}
		if err := c.Own(name); err != nil {
			t.Fatal(err)
		}
	}
	return ca
}
