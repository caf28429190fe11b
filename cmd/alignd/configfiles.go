package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"alignd/config"
	"alignd/journal/place"
	"alignd/report/send"
	"alignd/web/access"
)

// fileWarnings are about files that a configuration names and that are read by those who
// use them. They are no faults: a configuration may be checked elsewhere.
func fileWarnings(cfg *config.Config) config.Problems {
	var found config.Problems
	warn := func(option string, at config.Position, err error) {
		found = append(found, config.Problem{Position: at, Text: option + ": " + err.Error()})
	}
	tlsRead := cfg.Web.Listen != "" && cfg.Web.TLS.CertFile != ""
	for _, f := range cfg.FilesNamed() {
		if err := readNamed(cfg, f); err != nil {
			warn(f.Option, f.At, err)
			tlsRead = tlsRead && !strings.HasPrefix(f.Option, "web.tls")
		}
	}
	if tlsRead { // as each of them is there
		if err := (&webFiles{files: cfg.Web.TLS}).read(); err != nil {
			warn("web.tls", cfg.Where("web.tls"), errors.New(strings.TrimPrefix(err.Error(), "web.tls: ")))
		}
	}
	if cfg.Journal.Store == "postgres" {
		db := place.Database(cfg)
		db.PasswordFile = "" // is among the files
		if err := db.Check(); err != nil {
			warn("journal.url", cfg.Where("journal.url"), err)
		}
	}
	return found
}

// readNamed reads a file as who uses it does.
func readNamed(cfg *config.Config, f config.FileNamed) error {
	err := func() error {
		switch {
		case strings.HasPrefix(f.Option, "reports.dkim"):
			_, err := send.ReadKey(f.Path)
			return err
		case f.Option == "web.users_file":
			_, err := access.OpenUsers(f.Path)
			return err
		}
		text, err := os.ReadFile(f.Path)
		if err == nil && strings.TrimSpace(string(text)) == "" {
			err = errors.New(f.Path + " is empty")
		}
		return err
	}()
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w for who checks, so it was not looked at", err)
	case errors.Is(err, fs.ErrNotExist) && f.Option == "web.users_file":
		if !nobodyMayLook(&cfg.Web) {
			return nil
		}
		return fmt.Errorf("%w, so nobody may look at the pages; alignd web passwd NAME makes it", err)
	}
	return err
}

// nobodyMayLook at the pages as long as there are no users.
func nobodyMayLook(w *config.Web) bool {
	return strings.HasPrefix(w.Listen, "inet:") && w.Proxy.Header == "" && w.TLS.ClientCAFile == ""
}
