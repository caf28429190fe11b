package state

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of another product, of a later version, or a damaged one is told of, and is
// octet for octet what it was.
func TestFilesOfOthersAreLeftAlone(t *testing.T) {
	for _, row := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{name: "another product", want: "tables of another product", make: func(t *testing.T, path string) {
			change(t, path, "CREATE TABLE theirs (a)")
		}},
		{name: "a later version", want: "this one knows those up to", make: func(t *testing.T, path string) {
			s, err := OpenFile(context.Background(), path, Options{})
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			change(t, path, "UPDATE state_meta SET version = 999, works = 999")
		}},
		{name: "no database", want: "not a database", make: func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 100)), 0o640); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			row.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := OpenFile(context.Background(), path, Options{}); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("it was changed: %v", err)
			}
		})
	}
}

func change(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(text)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
