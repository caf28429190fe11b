package owned

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestAPanicBesideMailEndsNothing(t *testing.T) {
	no := errors.New("no")
	for _, row := range []struct {
		name  string
		f     func() error
		want  error
		panic string
		from  string // a function of the stack
	}{
		{name: "work that ends well", f: func() error { return nil }},
		{name: "work that fails", f: func() error { return no }, want: no},
		{name: "work that panics", f: func() error { fails(); return nil }, want: ErrPanic, panic: "no", from: "owned.fails("},
		{name: "work whose own work panics", f: func() error {
			var g Group
			g.Go(fails)
			g.Wait()
			return nil
		}, want: ErrPanic, panic: "no", from: "owned.fails("},
	} {
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, nil))
		if err := Tried(log, "the part", row.f); !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
		Guarded(log, "the part", func() { _ = row.f() })
		lines := strings.Count(said.String(), `part="the part" panic=`+row.panic+" stack=")
		if want := map[bool]int{true: 2, false: 0}[row.panic != ""]; lines != want || strings.Count(said.String(), row.from) < want {
			t.Errorf("%s: %d lines, want %d: %s", row.name, lines, want, said.String())
		}
	}
}
