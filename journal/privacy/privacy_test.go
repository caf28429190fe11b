package privacy

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/record"
)

// What shall be hashed is never kept as it is because the key cannot be had.
func TestWithoutAKeyLocalPartsAreDropped(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "addresses.key"), []byte("nothing like a key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse(fmt.Appendf(nil, "journal: {path: %q, addresses: hash}\n", dir), "test.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	p := Of(cfg, slog.New(slog.NewTextHandler(&said, nil)))
	if p.How != record.AddressesDropped || !strings.Contains(said.String(), "level=ERROR") {
		t.Errorf("%q: %s", p.How, said.String())
	}
}

// A key is drawn once, and none is taken for one.
func TestAKeyIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "addresses.key")
	if key, err := FindKey("", path); key != nil || err != nil {
		t.Errorf("before: %x, %v", key, err)
	}
	if _, err := FindKey(path, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that was named and is not there: %v", err)
	}
	made, err := MakeKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := MakeKey(path)
	if found, fault := FindKey("", path); len(made) != keySize || !bytes.Equal(made, again) || !bytes.Equal(made, found) || err != nil || fault != nil {
		t.Errorf("made %x, then %x, found %x: %v, %v", made, again, found, err, fault)
	}
}
