package access

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"alignd/web/internal/visitor"

	"golang.org/x/crypto/bcrypt"
)

// A password is hashed at the least cost in tests.
func users(t *testing.T, lines ...string) *Users {
	t.Helper()
	u, err := OpenUsers(visitor.UsersFile(t, lines...))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestMain(m *testing.M) {
	hashCost = bcrypt.MinCost
	os.Exit(m.Run())
}

func TestTheFileOfUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	for _, row := range []struct {
		name, user, password string
		fails                bool
	}{
		{name: "the first", user: "ann", password: "correct horse"},
		{name: "another", user: "bob", password: "battery staple"},
		{name: "a new password", user: "ann", password: "correct horse two"},
		{name: "a short one", user: "ann", password: "short", fails: true},
		{name: "a name with a colon", user: "a:b", password: "correct horse", fails: true},
		{name: "taken out", user: "bob"},
		{name: "who is not there", user: "bob", fails: true},
	} {
		if err := SetPassword(path, row.user, row.password); (err != nil) != row.fails {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	u, err := OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, password := range map[string]string{"ann": "correct horse", "bob": "battery staple", "eve": strings.Repeat("x", 100)} {
		if _, ok := u.Check(name, password); ok {
			t.Errorf("%s has the password %q", name, password)
		}
	}
	if hash, ok := u.Check("ann", "correct horse two"); !ok || hash != u.Hash("ann") || u.Hash("bob") != "" || u.Count() != 1 {
		t.Error("the file holds something else")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
}

// A name that nobody has takes as long as one that is in the file, whatever wrote that.
func TestNobodysHashCostsWhatOthersDo(t *testing.T) {
	u := users(t, "ann:correct horse")
	for _, cost := range []int{5, 6, 11} {
		like := costing(u.nobody, cost)
		if got, err := bcrypt.Cost(like); err != nil || got != cost {
			t.Errorf("cost %d, %v, want %d", got, err, cost)
		}
	}
	if u.cost != bcrypt.MinCost || bcrypt.CompareHashAndPassword(costing(u.nobody, u.cost), []byte("x")) != bcrypt.ErrMismatchedHashAndPassword {
		t.Errorf("cost %d of the file", u.cost)
	}
}

// Who may connect may look until there are users, who are then asked for.
func TestUsersWhoAreMadeLaterAreAskedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	u, err := OpenUsers(path)
	if !errors.Is(err, os.ErrNotExist) || u == nil {
		t.Fatalf("%v, %v", u, err)
	}
	s := serve(t, func(o *setup) { o.Users = u })
	for _, row := range []struct {
		name string
		do   func() error
		want string
	}{
		{name: "there are none", do: func() error { return nil }, want: "200"},
		{name: "one is made", do: func() error { return SetPassword(path, "ann", "correct horse") }, want: "303"},
		{name: "and taken out", do: func() error { return SetPassword(path, "ann", "") }, want: "303"},
		{name: "the file is damaged", do: func() error { return os.WriteFile(path, []byte("ann\n"), 0o600) }, want: "303"},
	} {
		if err := row.do(); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/messages", nil)
		r.RemoteAddr = "@"
		s.handler.ServeHTTP(w, r)
		if got := strconv.Itoa(w.Code); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}
