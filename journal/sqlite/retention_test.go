package sqlite

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/journal/spool"
)

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		list = append(list, strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".db"), ".sealed"))
	}
	return list
}

// filled has a file for each of the days before noon, some of them.
func filled(t *testing.T, opt Options, days ...int) *Store {
	t.Helper()
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for i, back := range days {
		take(t, s, spool.ID{1}, batch(1+10*i, 10, noon.AddDate(0, 0, -back)))
	}
	return s
}

func TestRetentionByAgeAndSize(t *testing.T) {
	t.Run("age", func(t *testing.T) {
		opt := Options{Dir: t.TempDir(), Keep: 48 * time.Hour}
		s := filled(t, opt, 5, 3, 2, 1, 0)
		if err := s.retain(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		if got, want := names(t, opt.Dir), []string{"2026-11-25.1", "2026-11-26.1", "2026-11-27.1"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("size", func(t *testing.T) {
		opt := Options{Dir: t.TempDir(), MaxSize: 1}
		s := filled(t, opt, 2, 1, 0)
		if err := s.retain(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		if got, want := names(t, opt.Dir), []string{"2026-11-27.1"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v: the newest stays", got, want)
		}
	})
}
